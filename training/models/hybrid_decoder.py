"""The decoder of the fastest translation systems on CPUs: a Transformer's, recurrent where it would
look back at all that was said (Chen et al. 2018; Kim et al. 2019).

Shapes: B sentences or rows, T target positions, S source positions, D width, L layers, V
vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from training.config import ModelConfig
from training.layers import HybridBlock, State
from training.models.block_decoder import BlockDecoder
from training.models.decoder import DecoderState
from training.models.encoder import Encoded

__all__ = ["HybridDecoder"]


class HybridDecoder(BlockDecoder):
    """Layers of recurrence, attention and feed-forward; every recurrence has its own state."""

    def __init__(self, config: ModelConfig, embedding: nn.Embedding, output: nn.Linear) -> None:
        layers = [
            HybridBlock(
                config.decoder_cell,
                config.embedding,
                config.heads,
                config.decoder_feed_forward,
                conditional=config.conditional,
            )
            for _ in range(config.decoder_layers)
        ]
        super().__init__(config, embedding, output, layers)
        self.states_per_layer = 2 if config.conditional else 1  # of recurrences
        self.parts_per_state = 2 if config.decoder_cell == "lstm" else 1
        parts = config.decoder_layers * self.states_per_layer * self.parts_per_state
        self.bridge = nn.Linear(config.memory_width, parts * config.embedding)

    @property
    def blocks(self) -> list[HybridBlock]:
        """The layers, bottom first."""
        return [layer for layer in self.layers if isinstance(layer, HybridBlock)]

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
        after: list[State] = []
        weights_BTS: Tensor | None = None
        for block, source in zip(self.blocks, self.remembered(encoded), strict=True):
            states = state.layers[len(after) : len(after) + self.states_per_layer]
            x_BTD, now, weights_BTS = block(x_BTD, states, source, self.dropout)
            after += now
        return self.read_out(x_BTD), DecoderState(tuple(after)), weights_BTS
