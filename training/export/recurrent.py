"""The recurrent encoder and decoder as graphs: ``models.encoder`` and ``models.decoder`` again.

Shapes: B sentences, S source positions, R rows, G slots of a sentence, M memory width, A width of
additive scores, E embedding, H hidden.
"""

from __future__ import annotations

import numpy as np
from torch import nn

from training.export.arithmetic import Arithmetic
from training.export.builder import GraphBuilder
from training.export.cells import DeepCells
from training.export.common import linear, positions, products, real_positions, rows_of_slots
from training.export.interface import Attended, Caches, Encoded, Fed, StepValues, Tensors, array
from training.export.recurrence import emit_bidirectional, emit_step
from training.export.transformer import emit_cross_attention
from training.layers import (
    AdditiveAttention,
    Attention,
    Conditional,
    GeneralAttention,
    HeadsAttention,
)
from training.models import Decoder, Encoder

__all__ = ["RecurrentDecoderGraph", "RecurrentEncoderGraph"]


class RecurrentEncoderGraph:
    """Embedding and a stack of layers, each a loop over the positions."""

    def __init__(self, encoder: Encoder, arithmetic: Arithmetic) -> None:
        self._encoder = encoder
        self._arithmetic = arithmetic

    def emit(self, g: GraphBuilder, source_BS: str, lengths_B: str) -> Encoded:
        """Memory and the last state of each direction."""
        ids_SB = g.op("Transpose", source_BS, perm=[1, 0])
        positions_S11 = positions(g, source_BS, [1, 2])
        real_SB1 = g.op("Less", positions_S11, g.op("Unsqueeze", lengths_B, g.ints(0, 2)))
        x_SBD = self._arithmetic.lookup(g, ids_SB, array(self._encoder.embedding.weight))
        last_BM = ""
        for index, layer in enumerate(self._encoder.recurrent):
            y_SBM, last_BM = emit_bidirectional(
                g, self._arithmetic, layer, f"encoder.layers.{index}", x_SBD, real_SB1
            )
            adds = self._encoder.residual and index > 0
            x_SBD = g.op("Add", x_SBD, y_SBM) if adds else y_SBM
        clean_SBM = g.op("Mul", x_SBD, g.op("Cast", real_SB1, to=1))
        return Encoded(g.op("Transpose", clean_SBM, perm=[1, 0, 2]), last_BM)


class RecurrentDecoderGraph:
    """Layers of which the lowest attends, or a context that never changes."""

    caches: Caches = ()

    def __init__(self, decoder: Decoder, memory_width: int, arithmetic: Arithmetic) -> None:
        self._decoder = decoder
        self._arithmetic = arithmetic
        memories: list[tuple[str, int]] = []
        match decoder.attention:
            case None:
                pass
            case AdditiveAttention(memory=memory):
                memories += [("memory_BSM", memory_width), ("keys_BSA", memory.out_features)]
            case HeadsAttention(heads=heads):
                width = heads.key.out_features
                memories += [("keys_BSA", width), ("values_BSA", width)]
            case _:
                memories.append(("memory_BSM", memory_width))
        parts = "hc" if decoder.states_per_layer == 2 else "h"
        states = [
            (f"{part}{index}_RH", layer.hidden)
            for index, layer in enumerate(decoder.recurrent)
            for part in parts
        ]
        self._recurrent_states = len(states)
        if decoder.attention is None:  # the context travels with each row
            states.append(("context_RM", memory_width))
        self.memories: Tensors = tuple(memories)
        self.states: Tensors = tuple(states)

    def emit_memories(self, g: GraphBuilder, encoded: Encoded) -> list[str]:
        """The values of ``memories``, in the encoder's graph."""
        attention, name = self._decoder.attention, "decoder.attention"

        def through(layer: nn.Linear, place: str) -> str:
            return linear(g, self._arithmetic, encoded.memory_BSM, layer, f"{name}.{place}")

        match attention:
            case None:
                return []
            case AdditiveAttention():
                return [encoded.memory_BSM, through(attention.memory, "memory")]
            case HeadsAttention(heads=heads):
                return [through(heads.key, "heads.key"), through(heads.value, "heads.value")]
            case _:
                return [encoded.memory_BSM]

    def emit_initial(self, g: GraphBuilder, encoded: Encoded) -> list[str]:
        """The first values of ``states``, in the encoder's graph."""
        bridge = linear(
            g, self._arithmetic, encoded.summary_BM, self._decoder.bridge, "decoder.bridge"
        )
        sizes = [width for _, width in self.states[: self._recurrent_states]]
        values = g.ops("Split", g.op("Tanh", bridge), g.ints(*sizes), outputs=len(sizes), axis=-1)
        return values + [encoded.summary_BM] * (len(self.states) - len(values))

    def emit_step(
        self, g: GraphBuilder, fed: Fed, states: list[str], source: Attended
    ) -> StepValues:
        """One token for every row."""
        decoder = self._decoder
        x_RD = self._arithmetic.lookup(g, fed.tokens_R, array(decoder.embedding.weight))
        n = decoder.states_per_layer
        after, context_RM, weights_RS = self._lowest(g, x_RD, states, source)
        h_RH = after[0]
        for index, layer in enumerate(decoder.recurrent[1:], 1):
            assert not isinstance(layer, Conditional)
            before = states[index * n : (index + 1) * n]
            x_RD = g.op("Concat", h_RH, context_RM, axis=-1)
            now = emit_step(g, self._arithmetic, layer, f"decoder.layers.{index}", x_RD, before)
            h_RH = g.op("Add", h_RH, now[0]) if decoder.residual else now[0]
            after += now
        x_RD = g.op("Concat", h_RH, context_RM, axis=-1)
        readout = linear(g, self._arithmetic, x_RD, decoder.readout, "decoder.readout")
        after += states[self._recurrent_states :]
        return StepValues(g.op("Tanh", readout), after, weights_RS)

    def _lowest(
        self, g: GraphBuilder, x_RD: str, states: list[str], source: Attended
    ) -> tuple[list[str], str, str]:
        """The next state of the layer that reads the tokens, context [R, M] and weights [R, S]."""
        layer, attention = self._decoder.recurrent[0], self._decoder.attention
        before = states[: self._decoder.states_per_layer]
        if not isinstance(layer, Conditional):
            after = emit_step(g, self._arithmetic, layer, "decoder.layers.0", x_RD, before)
            if attention is None:
                return after, states[-1], ""
            return after, *self._attend(g, attention, after[0], source)
        assert attention is not None
        first, *behind = DeepCells.of(
            layer.levels, "decoder.layers.0.cells", self._arithmetic
        ).levels
        asking = first.advance(g, x_RD, before)
        context_RM, weights_RS = self._attend(g, attention, asking[0], source)
        second = DeepCells(tuple(behind))
        return second.advance(g, context_RM, asking), context_RM, weights_RS

    def _attend(
        self, g: GraphBuilder, attention: Attention, query_RX: str, source: Attended
    ) -> tuple[str, str]:
        """Context [R, M] and weights [R, S]."""
        if isinstance(attention, HeadsAttention):
            return emit_cross_attention(
                g, self._arithmetic, attention.heads, "decoder.attention.heads", query_RX, source
            )
        if isinstance(attention, AdditiveAttention | GeneralAttention):
            query_RX = linear(
                g, self._arithmetic, query_RX, attention.query, "decoder.attention.query"
            )
        query_BGX = g.op("Gather", query_RX, source.slots_BG)
        memory_BSM, keys_BSX = source.memories[0], source.memories[-1]
        if isinstance(attention, AdditiveAttention):
            sums_BGSA = g.op(
                "Add",
                g.op("Unsqueeze", query_BGX, g.ints(2)),
                g.op("Unsqueeze", keys_BSX, g.ints(1)),
            )
            energy_A1 = g.constant(array(attention.energy.weight).T, "energy")
            scores_BGS = g.op(
                "Squeeze", g.op("MatMul", g.op("Tanh", sums_BGSA), energy_A1), g.ints(3)
            )
        else:
            scores_BGS = products(g, keys_BSX, query_BGX, transposed=False)
        never = g.constant(np.array(-np.inf, np.float32), "never")
        real_B1S = real_positions(g, memory_BSM, source.lengths_B)
        weights_BGS = g.op("Softmax", g.op("Where", real_B1S, scores_BGS, never), axis=-1)
        context_BGM = products(g, memory_BSM, weights_BGS, transposed=True)
        context_RM, weights_RS = (
            rows_of_slots(g, each, source.slot_of_R) for each in (context_BGM, weights_BGS)
        )
        return context_RM, weights_RS
