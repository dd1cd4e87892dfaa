"""The Transformer's decoder (Vaswani et al. 2017, section 3.1), pre-norm.

In training all positions run at once under a causal mask; in decoding one token at a time, with the
keys and values of the tokens before it kept. Both are the same code: some tokens follow others.

Shapes: B sentences or rows, T target positions, P positions of the past, S source positions, D
width, L layers, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from training.config import ModelConfig
from training.layers import (
    DecoderBlock,
    Past,
    State,
    positions_from,
    sinusoids,
)
from training.models.block_decoder import BlockDecoder
from training.models.decoder import DecoderState
from training.models.encoder import Encoded

__all__ = ["TransformerDecoder"]


class TransformerDecoder(BlockDecoder):
    """Embeddings and positions, a stack of blocks, a last normalisation.

    Its state is each row's age (how many tokens it was fed) and the past of every layer. Rows of
    different ages share a batch: what lies behind a row's age is never looked at.
    """

    def __init__(self, config: ModelConfig, embedding: nn.Embedding, output: nn.Linear) -> None:
        layers = [
            DecoderBlock(config.embedding, config.heads, config.decoder_feed_forward)
            for _ in range(config.decoder_layers)
        ]
        super().__init__(config, embedding, output, layers)

    @property
    def blocks(self) -> list[DecoderBlock]:
        """The layers, bottom first."""
        return [layer for layer in self.layers if isinstance(layer, DecoderBlock)]

    def initial_state(self, encoded: Encoded) -> DecoderState:
        """No past at all."""
        rows = len(encoded.mask_BS)
        ages_B = torch.zeros(rows, dtype=torch.long, device=encoded.mask_BS.device)
        empty_BPD = encoded.keys_BSX.new_zeros(rows, 0, self.width)
        return self.stacked([ages_B] + [empty_BPD] * (2 * len(self.layers)))

    def stacked(self, parts: Sequence[Tensor]) -> DecoderState:
        """The flat list of ages and all layers' pasts, bottom first, as a state."""
        ages_B, *pasts = parts
        layers = [tuple(pasts[i : i + 2]) for i in range(0, len(pasts), 2)]
        return DecoderState(((ages_B,), *layers))

    def forward(
        self, tokens_BT: Tensor, state: DecoderState, encoded: Encoded
    ) -> tuple[Tensor, DecoderState, Tensor | None]:
        """All steps at once, each token given.

        Returns:
            The read-outs [B, T, D] (``output`` makes scores of them), the state after the last
            step, and the attention weights [B, T, S] of the last layer, the mean of its heads.
        """
        (ages_B,), *pasts = state.layers
        count = tokens_BT.shape[1]
        at_BT = positions_from(ages_B, count)
        table_PD = sinusoids(int(at_BT.max()) + 1, self.width).to(ages_B.device)
        words_BTD = self.embedding(tokens_BT) * self.scale
        x_BTD = self.dropout(words_BTD + table_PD[at_BT].to(words_BTD.dtype))
        after: list[State] = [(ages_B + count,)]
        weights_BTS: Tensor | None = None
        for block, past, source in zip(self.blocks, pasts, self.remembered(encoded), strict=True):
            x_BTD, now, weights_BTS = block(x_BTD, Past(*past), ages_B, source, self.dropout)
            after.append(now)
        return self.read_out(x_BTD), DecoderState(tuple(after)), weights_BTS
