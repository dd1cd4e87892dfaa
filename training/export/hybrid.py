"""The hybrid decoder as a graph: ``models.hybrid_decoder`` again.

Shapes: B sentences, S source positions, R rows, D width, X gates together, V vocabulary.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from training.export.arithmetic import Arithmetic
from training.export.builder import GraphBuilder
from training.export.cells import cell_graph
from training.export.common import layer_norm, linear
from training.export.interface import Attended, Caches, Encoded, Fed, StepValues, Tensors, array
from training.export.recurrence import emit_ssru_step, emit_step
from training.export.transformer import emit_cross_attention, emit_feed_forward
from training.layers import HybridBlock, Recurrence, Recurrent, Ssru
from training.models import HybridDecoder

__all__ = ["HybridDecoderGraph"]


class HybridDecoderGraph:
    """Layers of recurrence, attention and feed-forward."""

    caches: Caches = ()

    def __init__(self, decoder: HybridDecoder, arithmetic: Arithmetic) -> None:
        self._decoder = decoder
        self._arithmetic = arithmetic
        layers = range(len(decoder.blocks))
        self.memories: Tensors = tuple(
            (f"{part}{layer}_BSD", decoder.width) for layer in layers for part in ("keys", "values")
        )
        parts = "hc" if decoder.parts_per_state == 2 else "h"
        recurrences = range(len(decoder.blocks) * decoder.states_per_layer)
        self.states: Tensors = tuple(
            (f"{part}{index}_RD", decoder.width) for index in recurrences for part in parts
        )

    def emit_memories(self, g: GraphBuilder, encoded: Encoded) -> list[str]:
        """The values of ``memories``, in the encoder's graph."""
        return [
            linear(g, self._arithmetic, encoded.memory_BSM, layer, f"{name}.{part}")
            for name, block in self._named_blocks()
            for part, layer in (("key", block.attention.key), ("value", block.attention.value))
        ]

    def emit_initial(self, g: GraphBuilder, encoded: Encoded) -> list[str]:
        """The first values of ``states``, in the encoder's graph."""
        bridge = linear(
            g, self._arithmetic, encoded.summary_BM, self._decoder.bridge, "decoder.bridge"
        )
        sizes = [width for _, width in self.states]
        return g.ops("Split", g.op("Tanh", bridge), g.ints(*sizes), outputs=len(sizes), axis=-1)

    def emit_step(
        self, g: GraphBuilder, fed: Fed, states: list[str], source: Attended
    ) -> StepValues:
        """One token for every row."""
        decoder, arithmetic = self._decoder, self._arithmetic
        table = array(decoder.embedding.weight)
        x_RD = arithmetic.lookup(g, fed.tokens_R, table, decoder.scale)
        left = iter(range(0, len(states), decoder.parts_per_state))
        after: list[str] = []
        weights_RS = ""
        for index, (name, block) in enumerate(self._named_blocks()):
            memories = source.memories[2 * index : 2 * index + 2]
            of_layer = Attended(source.slots_BG, source.slot_of_R, source.lengths_B, memories)
            for order, recurrence in enumerate(block.recurrences):
                assert isinstance(recurrence, Recurrence)
                if order == 1:
                    x_RD, weights_RS = self._attend(g, block, name, x_RD, of_layer)
                first = next(left)
                before = states[first : first + decoder.parts_per_state]
                place = f"decoder.layers.{index}.recurrences.{order}.cell"
                if not after and not isinstance(recurrence.cell, Ssru):
                    now = self._begin(g, recurrence, place, fed.tokens_R, before)
                else:
                    now = self._recur(g, recurrence, place, x_RD, before)
                x_RD = g.op("Add", x_RD, now[0])
                after += now[-decoder.parts_per_state :]
            if len(block.recurrences) == 1:
                x_RD, weights_RS = self._attend(g, block, name, x_RD, of_layer)
            normed_RD = layer_norm(g, x_RD, block.feed_forward_norm)
            place = f"decoder.layers.{index}.feed_forward"
            x_RD = g.op(
                "Add",
                x_RD,
                emit_feed_forward(g, arithmetic, block.feed_forward, place, normed_RD),
            )
        return StepValues(layer_norm(g, x_RD, decoder.norm), after, weights_RS)

    def _attend(
        self, g: GraphBuilder, block: HybridBlock, name: str, x_RD: str, source: Attended
    ) -> tuple[str, str]:
        normed_RD = layer_norm(g, x_RD, block.attention_norm)
        found_RD, weights_RS = emit_cross_attention(
            g, self._arithmetic, block.attention, name, normed_RD, source
        )
        return g.op("Add", x_RD, found_RD), weights_RS

    def _begin(
        self, g: GraphBuilder, recurrence: Recurrence, place: str, tokens_R: str, before: list[str]
    ) -> list[str]:
        """The lowest recurrence reads the token and nothing else: what its gates make of every
        token is a table.
        """
        part_RX = self._arithmetic.lookup(g, tokens_R, self._gates_of_tokens(recurrence))
        assert isinstance(recurrence.cell, Recurrent)
        return cell_graph(recurrence.cell, place, self._arithmetic).step(g, part_RX, before)

    @torch.no_grad()
    def _gates_of_tokens(self, recurrence: Recurrence) -> NDArray[np.float32]:
        """[V, X]."""
        assert isinstance(recurrence.cell, Recurrent)
        embedding_VD = self._decoder.embedding.weight.float() * self._decoder.scale
        weight, bias = (
            recurrence.cell.rnn.get_parameter(f"{part}_ih_l0") for part in ("weight", "bias")
        )
        return array(nn.functional.linear(recurrence.norm(embedding_VD), weight, bias))

    def _recur(
        self, g: GraphBuilder, recurrence: Recurrence, place: str, x_RD: str, before: list[str]
    ) -> list[str]:
        """The output, and the next state (of an LSTM or GRU the output is part of it)."""
        normed_RD = layer_norm(g, x_RD, recurrence.norm)
        if isinstance(recurrence.cell, Ssru):
            return emit_ssru_step(g, self._arithmetic, recurrence.cell, place, normed_RD, before[0])
        return emit_step(g, self._arithmetic, recurrence.cell, place, normed_RD, before)

    def _named_blocks(self) -> list[tuple[str, HybridBlock]]:
        """Each layer with the name of its attention."""
        return [
            (f"decoder.layers.{index}.attention", block)
            for index, block in enumerate(self._decoder.blocks)
        ]
