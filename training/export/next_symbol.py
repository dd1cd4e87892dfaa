"""The next-symbol model as graphs: ``models.next_symbol`` again. Both graphs hold the same weights.

Shapes: B sentences, S source positions, R rows, H hidden.
"""

from __future__ import annotations

import numpy as np

from training.data.fitting import SPECIAL_IDS
from training.export.arithmetic import Arithmetic
from training.export.builder import GraphBuilder
from training.export.common import linear, positions
from training.export.interface import Attended, Caches, Encoded, Fed, StepValues, Tensors, array
from training.export.recurrence import emit_reading, emit_step
from training.models import NextSymbolDecoder

__all__ = ["NextSymbolGraph", "ReaderGraph"]


class ReaderGraph:
    """Each layer a loop over the source's symbols, up to its eos."""

    def __init__(self, decoder: NextSymbolDecoder, arithmetic: Arithmetic) -> None:
        self._decoder = decoder
        self._arithmetic = arithmetic

    def emit(self, g: GraphBuilder, source_BS: str, lengths_B: str) -> Encoded:
        """No memory; all last states side by side."""
        ids_SB = g.op("Transpose", source_BS, perm=[1, 0])
        one = g.constant(np.array(1, np.int64), "scalar")
        symbols_1B1 = g.op("Unsqueeze", g.op("Sub", lengths_B, one), g.ints(0, 2))
        real_SB1 = g.op("Less", positions(g, source_BS, [1, 2]), symbols_1B1)
        y_SBH = self._arithmetic.lookup(g, ids_SB, array(self._decoder.embedding.weight))
        states: list[str] = []
        for index, layer in enumerate(self._decoder.recurrent):
            name = f"decoder.layers.{index}"
            y_SBH, last = emit_reading(g, self._arithmetic, layer, name, y_SBH, real_SB1)
            states += last
        return Encoded("", states[0] if len(states) == 1 else g.op("Concat", *states, axis=-1))


class NextSymbolGraph:
    """Each layer a step; at ``bos`` the state stays as it is."""

    memories: Tensors = ()
    caches: Caches = ()

    def __init__(self, decoder: NextSymbolDecoder, arithmetic: Arithmetic) -> None:
        self._decoder = decoder
        self._arithmetic = arithmetic
        parts = "hc" if decoder.states_per_layer == 2 else "h"
        self.states: Tensors = tuple(
            (f"{part}{index}_RH", decoder.hidden)
            for index in range(len(decoder.layers))
            for part in parts
        )

    def emit_memories(self, g: GraphBuilder, encoded: Encoded) -> list[str]:
        """There are none."""
        del g, encoded
        return []

    def emit_initial(self, g: GraphBuilder, encoded: Encoded) -> list[str]:
        """What reading left."""
        sizes = [width for _, width in self.states]
        return g.ops("Split", encoded.summary_BM, g.ints(*sizes), outputs=len(sizes), axis=-1)

    def emit_step(
        self, g: GraphBuilder, fed: Fed, states: list[str], source: Attended
    ) -> StepValues:
        """One symbol for every row."""
        del source
        decoder, n = self._decoder, self._decoder.states_per_layer
        bos = g.constant(np.array(SPECIAL_IDS.bos, np.int64), "scalar")
        still_R1 = g.op("Unsqueeze", g.op("Equal", fed.tokens_R, bos), g.ints(1))
        y_RH = self._arithmetic.lookup(g, fed.tokens_R, array(decoder.embedding.weight))
        after: list[str] = []
        for index, layer in enumerate(decoder.recurrent):
            before = states[index * n : (index + 1) * n]
            moved = emit_step(g, self._arithmetic, layer, f"decoder.layers.{index}", y_RH, before)
            now = [
                g.op("Where", still_R1, old, new) for old, new in zip(before, moved, strict=True)
            ]
            after += now
            y_RH = now[0]
        readout = linear(g, self._arithmetic, y_RH, decoder.readout, "decoder.readout")
        return StepValues(g.op("Tanh", readout), after, "")
