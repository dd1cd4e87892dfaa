"""The decoder: the tokens so far and the encoded source -> scores of the next token.

The first layer reads the tokens; its output is the query of the attention; the context that comes
back is concatenated with the state and feeds the layers above and the read-out (the arrangement of
Wu et al. 2016, section 3, where the bottom layer attends). Nothing flows from the top back into the
bottom, so in training each layer runs all steps in one fused call; ``step`` runs the same layers
for one token. A conditional lowest layer (``layers.conditional``) attends in the middle of its step
instead, which goes one by one.

Shapes: B sentences or rows, T target positions, S source positions, E embedding, H hidden, M memory
width, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from training.config import ModelConfig
from training.layers import (
    Conditional,
    Dropout,
    RecurrentLayer,
    SharedDropout,
    State,
    make_attention,
    make_recurrent,
)
from training.models.encoder import Encoded

__all__ = ["Decoder", "DecoderState"]


class DecoderState(NamedTuple):
    """What each layer carries from step to step, bottom first."""

    layers: tuple[State, ...]

    @property
    def flat(self) -> list[Tensor]:
        """All tensors, bottom first; ``Decoder.stacked`` is the way back."""
        return [part for layer in self.layers for part in layer]


class Decoder(nn.Module):
    """Recurrent layers over the target tokens, the lowest of which attends to the source."""

    def __init__(self, config: ModelConfig, embedding: nn.Embedding, output: nn.Linear) -> None:
        super().__init__()
        self.embedding = embedding
        self.output = output
        memory, hidden = config.memory_width, config.decoder_hidden
        self.layers = nn.ModuleList([_lowest(config)])
        self.layers.extend(
            make_recurrent(
                config.cell,
                hidden + memory,
                hidden,
                depth=config.decoder_transitions,
                normed=config.cell_norm,
            )
            for _ in range(config.decoder_layers - 1)
        )
        self.states_per_layer = 2 if config.cell == "lstm" else 1
        self.residual = config.residual
        self.attention = make_attention(config)
        self.bridge = nn.Linear(memory, hidden * self.states_per_layer * config.decoder_layers)
        self.readout = nn.Linear(hidden + memory, config.embedding)
        self.dropout = SharedDropout(config.dropout)
        self.output_dropout = Dropout(config.output_dropout)

    @property
    def recurrent(self) -> list[RecurrentLayer | Conditional]:
        """The layers, bottom first."""
        return [layer for layer in self.layers if isinstance(layer, RecurrentLayer | Conditional)]

    @property
    def attends(self) -> bool:
        """Whether it looks at single positions of the source."""
        return self.attention is not None

    def keys(self, memory_BSM: Tensor) -> Tensor:
        """What the attention's score needs of the memory, once for each sentence."""
        return memory_BSM if self.attention is None else self.attention.keys(memory_BSM)

    def initial_state(self, encoded: Encoded) -> DecoderState:
        """Tanh of an affine map of the summary (Bahdanau et al. 2015, appendix A.2.2), for every
        layer.
        """
        bridged = torch.tanh(self.bridge(encoded.summary_BM))
        parts = bridged.chunk(self.states_per_layer * len(self.layers), dim=-1)
        return self.stacked([part.contiguous() for part in parts])

    def stacked(self, parts: Sequence[Tensor]) -> DecoderState:
        """The flat list of all layers' tensors, bottom first, as a state."""
        n = self.states_per_layer
        return DecoderState(tuple(tuple(parts[i : i + n]) for i in range(0, len(parts), n)))

    def forward(
        self, tokens_BT: Tensor, state: DecoderState, encoded: Encoded
    ) -> tuple[Tensor, DecoderState, Tensor | None]:
        """All steps at once, each token given.

        Returns:
            The read-outs [B, T, E] (``output`` makes scores of them), the state after the last
            step, and the attention weights [B, T, S] (None with a fixed context).
        """
        x_TBE = self.dropout(self.embedding(tokens_BT.t()))
        h_TBH, context_TBM, weights_BTS, last = self._attend(x_TBE, state.layers[0], encoded)
        after: list[State] = [last]
        for layer, before in zip(self.recurrent[1:], state.layers[1:], strict=True):
            y_TBH, last = layer(self.dropout(torch.cat([h_TBH, context_TBM], dim=-1)), before)
            h_TBH = h_TBH + y_TBH if self.residual else y_TBH
            after.append(last)
        readout_TBE = torch.tanh(self.readout(torch.cat([h_TBH, context_TBM], dim=-1)))
        readout_BTE = self.output_dropout(readout_TBE).transpose(0, 1)
        return readout_BTE, DecoderState(tuple(after)), weights_BTS

    def step(
        self, tokens_B: Tensor, state: DecoderState, encoded: Encoded
    ) -> tuple[Tensor, DecoderState, Tensor | None]:
        """One token: scores [B, V] of the next one (not normalised), the next state, the attention
        weights [B, S].
        """
        readout_B1E, after, weights_B1S = self(tokens_B.unsqueeze(1), state, encoded)
        scores_BV = self.output(readout_B1E[:, 0])
        return scores_BV, after, None if weights_B1S is None else weights_B1S[:, 0]

    def _attend(
        self, x_TBE: Tensor, before: State, encoded: Encoded
    ) -> tuple[Tensor, Tensor, Tensor | None, State]:
        """The lowest layer: its outputs [T, B, H], the contexts [T, B, M] and weights [B, T, S] of
        their questions, and its last state.
        """
        lowest = self.layers[0]
        if not isinstance(lowest, Conditional):
            h_TBH, last = lowest(x_TBE, before)
            return h_TBH, *self._context(h_TBH, encoded), last

        def look(query_BH: Tensor) -> tuple[Tensor, Tensor]:
            context_1BM, weights_B1S = self._context(query_BH.unsqueeze(0), encoded)
            assert weights_B1S is not None
            return context_1BM[0], weights_B1S[:, 0]

        return lowest(x_TBE, before, look)

    def _context(self, query_TBH: Tensor, encoded: Encoded) -> tuple[Tensor, Tensor | None]:
        """The weighted memory, or with no attention the same summary at every step."""
        if self.attention is None:
            return encoded.summary_BM.expand(len(query_TBH), -1, -1), None
        context_BTM, weights_BTS = self.attention(
            query_TBH.transpose(0, 1), encoded.memory_BSM, encoded.keys_BSX, encoded.mask_BS
        )
        return context_BTM.transpose(0, 1), weights_BTS


def _lowest(config: ModelConfig) -> RecurrentLayer | Conditional:
    """The layer that reads the tokens."""
    hidden, normed = config.decoder_hidden, config.cell_norm
    if config.conditional:
        depth = max(config.decoder_transitions, 2)
        return Conditional(
            config.cell, config.embedding, config.memory_width, hidden, depth=depth, normed=normed
        )
    return make_recurrent(
        config.cell, config.embedding, hidden, depth=config.decoder_transitions, normed=normed
    )
