"""Multiplications in 8 bits with fixed scales.

Weights get one scale per output column, activations one scale and zero point for each place in the
model, found by calibration. Nothing in it depends on the rest of the batch, so a sentence gets the
same bits alone and in any crowd; scales taken from the batch itself (dynamic quantisation) do not
have that property. The integer product and its rescaling are one kernel of onnxruntime
(``MatMulIntegerToFloat``).

Shapes: I inputs, O outputs, V vocabulary, E embedding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.export.arithmetic import Array, Term
from training.export.builder import CONTRIB, GraphBuilder

__all__ = ["Range", "StaticInt8"]


@dataclass(frozen=True)
class Range:
    """The least and greatest value that was seen at one place; 0 is always inside."""

    low: float
    high: float

    def union(self, other: Range) -> Range:
        return Range(min(self.low, other.low), max(self.high, other.high))


class StaticInt8:
    """8-bit weights; 8-bit activations with the scales of ``ranges``, which maps each place to what
    was seen there.
    """

    def __init__(self, ranges: Mapping[str, Range]) -> None:
        self._ranges = ranges
        self._quantised: dict[tuple[GraphBuilder, str, _Step], str] = {}

    def linear(
        self, graph: GraphBuilder, x: str, weight_OI: Array, bias_O: Array | None, place: str
    ) -> str:
        step = self._step(place)
        weight_IO, scale_1O = _symmetric(weight_OI.T, axis=0)
        return self._product(
            graph,
            self._quantise(graph, x, step),
            step,
            graph.constant(weight_IO, "weight"),
            graph.constant(scale_1O[0], "scale"),
            "" if bias_O is None else graph.constant(bias_O.astype(np.float32), "bias"),
        )

    def summed(self, graph: GraphBuilder, terms: Sequence[Term], bias_O: Array) -> str:
        """One product of the inputs side by side, all of them read by the scale and zero point of
        the first: the weights of another are made as much larger or smaller, and what its zero
        point would add from there goes into the bias.
        """
        steps = [self._step(term.place) for term in terms]
        first = steps[0]
        weights = [
            term.weight_OI.T * (step.scale / first.scale)
            for term, step in zip(terms, steps, strict=True)
        ]
        weight_IO, scale_1O = _symmetric(np.concatenate(weights), axis=0)
        parts = np.split(weight_IO, np.cumsum([len(each) for each in weights])[:-1])
        off_O = sum(
            (first.zero - step.zero) * part.sum(axis=0, dtype=np.int64)
            for step, part in zip(steps, parts, strict=True)
        )
        bias_O = bias_O + off_O * (first.scale * scale_1O[0])
        quantised = [
            self._quantise(graph, term.x, step) for term, step in zip(terms, steps, strict=True)
        ]
        return self._product(
            graph,
            graph.op("Concat", *quantised, axis=-1),
            first,
            graph.constant(weight_IO, "weight"),
            graph.constant(scale_1O[0], "scale"),
            graph.constant(bias_O.astype(np.float32), "bias"),
        )

    def selected(
        self, graph: GraphBuilder, x: str, layer: tuple[Array, Array], place: str, chosen_W: str
    ) -> str:
        # By row, as an embedding table is: weights that are both are stored once.
        rows_OI, scale_O1 = _symmetric(layer[0], axis=1)
        step, bias_O = self._step(place), layer[1].astype(np.float32)
        chosen_WI = graph.op("Gather", graph.constant(rows_OI, "embedding"), chosen_W)
        return self._product(
            graph,
            self._quantise(graph, x, step),
            step,
            graph.op("Transpose", chosen_WI, perm=[1, 0]),
            graph.op("Gather", graph.constant(scale_O1[:, 0], "scale"), chosen_W),
            graph.op("Gather", graph.constant(bias_O, "bias"), chosen_W),
        )

    def lookup(self, graph: GraphBuilder, ids: str, table_VE: Array, factor: float = 1.0) -> str:
        rows_VE, scale_V1 = _symmetric(table_VE, axis=1)
        rows = graph.op("Gather", graph.constant(rows_VE, "embedding"), ids)
        scale_V1 = (scale_V1 * factor).astype(np.float32)
        scales = graph.op("Gather", graph.constant(scale_V1, "scale"), ids)
        return graph.op("Mul", graph.op("Cast", rows, to=1), scales)

    def rectify(self, graph: GraphBuilder, x: str, place: str) -> str:
        # Nothing below 0 was seen at the place, so 0 is its least value: quantising rectifies.
        return x if self._ranges[place].low == 0 else graph.op("Relu", x)

    def _step(self, place: str) -> _Step:
        seen = self._ranges[place]
        # Where a processor without VNNI adds two products in 16 bits they may saturate; onnxruntime
        # converts the weights there (the session asks for it), so the full 8 bits can be used.
        scale = max(seen.high - seen.low, 1e-6) / 255
        return _Step(scale, int(np.clip(round(-seen.low / scale), 0, 255)))

    @staticmethod
    def _product(
        graph: GraphBuilder, x: str, step: _Step, weight_IO: str, scale_O: str, bias_O: str
    ) -> str:
        """Of what is quantised already; ``bias_O`` may be empty."""
        scale, zero = step.constants(graph)
        inputs = [x, weight_IO, scale, scale_O, zero]
        if bias_O:  # behind the weights' zero point: they are symmetric, it is 0
            inputs += ["", bias_O]
        return graph.op("MatMulIntegerToFloat", *inputs, domain=CONTRIB)

    def _quantise(self, graph: GraphBuilder, x: str, step: _Step) -> str:
        """One quantisation of a value serves all the products that read it."""
        key = (graph, x, step)
        if key not in self._quantised:
            self._quantised[key] = graph.op("QuantizeLinear", x, *step.constants(graph))
        return self._quantised[key]


class _Step(NamedTuple):
    """How an activation is quantised: what one of 255 steps is, and which of them is 0."""

    scale: float
    zero: int

    def constants(self, graph: GraphBuilder) -> tuple[str, str]:
        scale, zero = np.array(self.scale, np.float32), np.array(self.zero, np.uint8)
        return graph.constant(scale, "scale"), graph.constant(zero, "zero")


def _symmetric(values: Array, axis: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """int8 values and their scale, one for each slice along ``axis`` (kept as an axis of size
    1).
    """
    scale = np.maximum(np.abs(values).max(axis=axis, keepdims=True), 1e-8).astype(
        np.float32
    ) / np.float32(127)
    return np.clip(np.rint(values / scale), -127, 127).astype(np.int8), scale
