"""The decoder of the fastest translation systems on CPUs: a Transformer's, recurrent where it would
look back at all that was said (Chen et al. 2018; Kim et al. 2019).

Shapes: B sentences or rows, T target positions, S source positions, D width, L layers, V
vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from training.config import ModelConfig
from training.layers import HybridBlock, Remembered, SharedDropout, State
from training.models.decoder import DecoderState
from training.models.encoder import Encoded

__all__ = ["HybridDecoder"]


class HybridDecoder(nn.Module):
    """Layers of recurrence, attention and feed-forward; every recurrence has its own state."""

    attends = True

    def __init__(self, config: ModelConfig, embedding: nn.Embedding, output: nn.Linear) -> None:
        super().__init__()
        self.embedding = embedding
        self.output = output
        self.width = config.embedding
        self.scale = math.sqrt(config.embedding)
        self.layers = nn.ModuleList(
            HybridBlock(
                config.decoder_cell,
                config.embedding,
                config.heads,
                config.decoder_feed_forward,
                conditional=config.conditional,
            )
            for _ in range(config.decoder_layers)
        )
        self.states_per_layer = 2 if config.conditional else 1  # of recurrences
        self.parts_per_state = 2 if config.decoder_cell == "lstm" else 1
        parts = config.decoder_layers * self.states_per_layer * self.parts_per_state
        self.bridge = nn.Linear(config.memory_width, parts * config.embedding)
        self.norm = nn.LayerNorm(config.embedding)
        self.dropout = SharedDropout(config.dropout, time=1)
        self.output_dropout = nn.Dropout(config.output_dropout)

    @property
    def blocks(self) -> list[HybridBlock]:
        """The layers, bottom first."""
        return [layer for layer in self.layers if isinstance(layer, HybridBlock)]

    def keys(self, memory_BSD: Tensor) -> Tensor:
        """Keys and values of all layers side by side, [B, S, 2 L D]."""
        parts = [part for block in self.blocks for part in block.attention.remember(memory_BSD)]
        return torch.cat(parts, dim=-1)

    def initial_state(self, encoded: Encoded) -> DecoderState:
        """Tanh of an affine map of the summary (Bahdanau et al. 2015, appendix A.2.2), for every
        recurrence.
        """
        bridged = torch.tanh(self.bridge(encoded.summary_BM)).float()
        return self.stacked([part.contiguous() for part in bridged.split(self.width, dim=-1)])

    def stacked(self, parts: Sequence[Tensor]) -> DecoderState:
        """The flat list of all recurrences' tensors, bottom first, as a state."""
        n = self.parts_per_state
        return DecoderState(tuple(tuple(parts[i : i + n]) for i in range(0, len(parts), n)))

    def forward(
        self, tokens_BT: Tensor, state: DecoderState, encoded: Encoded
    ) -> tuple[Tensor, DecoderState, Tensor | None]:
        """All steps at once, each token given.

        Returns:
            The read-outs [B, T, D] (``output`` makes scores of them), the state after the last
            step, and the attention weights [B, T, S] of the last layer, the mean of its heads.
        """
        x_BTD = self.dropout(self.embedding(tokens_BT) * self.scale)
        remembered = encoded.keys_BSX.split(self.width, dim=-1)
        after: list[State] = []
        weights_BTS: Tensor | None = None
        for index, block in enumerate(self.blocks):
            first = index * self.states_per_layer
            states = state.layers[first : first + self.states_per_layer]
            keys_BSD, values_BSD = remembered[2 * index : 2 * index + 2]
            source = Remembered(keys_BSD, values_BSD, encoded.mask_BS)
            x_BTD, now, weights_BTS = block(x_BTD, states, source, self.dropout)
            after += now
        readout_BTD = self.output_dropout(self.norm(x_BTD))
        return readout_BTD, DecoderState(tuple(after)), weights_BTS

    def step(
        self, tokens_B: Tensor, state: DecoderState, encoded: Encoded
    ) -> tuple[Tensor, DecoderState, Tensor | None]:
        """One token: scores [B, V] of the next one (not normalised), the next state, the attention
        weights [B, S].
        """
        readout_B1D, after, weights_B1S = self(tokens_B.unsqueeze(1), state, encoded)
        scores_BV = self.output(readout_B1D[:, 0])
        return scores_BV, after, None if weights_B1S is None else weights_B1S[:, 0]
