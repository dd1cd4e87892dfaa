"""What the decoders that are stacks of blocks have in common: a Transformer's and the hybrid.

Shapes: B sentences or rows, T target positions, S source positions, D width, L layers, V
vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from training.config import ModelConfig
from training.layers import DecoderBlock, Dropout, HybridBlock, Remembered, SharedDropout
from training.models.decoder import DecoderState
from training.models.encoder import Encoded

__all__ = ["BlockDecoder"]


class BlockDecoder(nn.Module):
    """Scaled embeddings below the blocks, a normalisation above them; every block attends."""

    attends = True

    def __init__(
        self,
        config: ModelConfig,
        embedding: nn.Embedding,
        output: nn.Linear,
        layers: Iterable[nn.Module],
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self.output = output
        self.width = config.embedding
        self.scale = math.sqrt(config.embedding)
        self.layers = nn.ModuleList(layers)
        self.norm = nn.LayerNorm(config.embedding)
        self.dropout = SharedDropout(config.dropout, time=1)
        self.output_dropout = Dropout(config.output_dropout)

    def keys(self, memory_BSD: Tensor) -> Tensor:
        """Keys and values of all layers side by side, [B, S, 2 L D]."""
        parts: list[Tensor] = []
        for block in self.layers:
            assert isinstance(block, DecoderBlock | HybridBlock)
            parts += block.attention.remember(memory_BSD)
        return torch.cat(parts, dim=-1)

    def remembered(self, encoded: Encoded) -> list[Remembered]:
        """``keys`` taken apart again: what each layer's attention reads."""
        parts = encoded.keys_BSX.split(self.width, dim=-1)
        pairs = zip(parts[::2], parts[1::2], strict=True)
        return [Remembered(keys, values, encoded.mask_BS) for keys, values in pairs]

    def read_out(self, x_BTD: Tensor) -> Tensor:
        """What ``output`` makes scores of, [B, T, D]."""
        return torch.as_tensor(self.output_dropout(self.norm(x_BTD)))

    def step(
        self, tokens_B: Tensor, state: DecoderState, encoded: Encoded
    ) -> tuple[Tensor, DecoderState, Tensor | None]:
        """One token: scores [B, V] of the next one (not normalised), the next state, the attention
        weights [B, S].
        """
        readout_B1D, after, weights_B1S = self(tokens_B.unsqueeze(1), state, encoded)
        scores_BV = self.output(readout_B1D[:, 0])
        return scores_BV, after, None if weights_B1S is None else weights_B1S[:, 0]
