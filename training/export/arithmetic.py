"""How the multiplications of a graph are done: in float32, or in 8 bits with fixed scales.

8 bits: weights get one scale per output column, activations one scale and zero point for each place
in the model, found by calibration. Nothing in it depends on the rest of the batch, so a sentence
gets the same bits alone and in any crowd; scales taken from the batch itself (dynamic quantisation)
do not have that property. The integer product and its rescaling are one kernel of onnxruntime
(``MatMulIntegerToFloat``).

Shapes: I inputs, O outputs, V vocabulary, E embedding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from training.export.builder import CONTRIB, GraphBuilder

__all__ = ["Arithmetic", "Float32", "Range", "StaticInt8", "Within"]

Array = NDArray[Any]


@dataclass(frozen=True)
class Range:
    """The least and greatest value that was seen at one place; 0 is always inside."""

    low: float
    high: float

    def union(self, other: Range) -> Range:
        return Range(min(self.low, other.low), max(self.high, other.high))


class Arithmetic(Protocol):
    """Emits the operations that hold nearly all weights of a model."""

    def linear(
        self, graph: GraphBuilder, x: str, weight_OI: Array, bias_O: Array | None, place: str
    ) -> str:
        """X W^T + b. ``place`` names the activation ``x``: equal places share its quantisation."""
        ...

    def lookup(self, graph: GraphBuilder, ids: str, table_VE: Array, factor: float = 1.0) -> str:
        """Rows of an embedding table, times ``factor``."""
        ...

    def selected(
        self, graph: GraphBuilder, x: str, layer: tuple[Array, Array], place: str, chosen_W: str
    ) -> str:
        """``linear`` with the outputs ``chosen_W`` alone; ``layer`` is weight [O, I] and bias [O].

        Raises:
            TypeError: the arithmetic is not exact, so that an output would depend on which others
            are chosen.
        """
        ...

    def rectify(self, graph: GraphBuilder, x: str, place: str) -> str:
        """max(0, x), to be multiplied at ``place`` and read nowhere else."""
        ...


class Float32:
    """As trained."""

    def linear(
        self, graph: GraphBuilder, x: str, weight_OI: Array, bias_O: Array | None, place: str
    ) -> str:
        del place  # nothing is quantised
        product = graph.op("MatMul", x, graph.constant(weight_OI.T.astype(np.float32), "weight"))
        if bias_O is None:
            return product
        return graph.op("Add", product, graph.constant(bias_O.astype(np.float32), "bias"))

    def lookup(self, graph: GraphBuilder, ids: str, table_VE: Array, factor: float = 1.0) -> str:
        table = (table_VE * factor).astype(np.float32)
        return graph.op("Gather", graph.constant(table, "embedding"), ids)

    def selected(
        self, graph: GraphBuilder, x: str, layer: tuple[Array, Array], place: str, chosen_W: str
    ) -> str:
        del graph, x, layer, place, chosen_W
        raise TypeError("a shortlist needs 8-bit products, which are exact")

    def rectify(self, graph: GraphBuilder, x: str, place: str) -> str:
        del place
        return graph.op("Relu", x)


class StaticInt8:
    """8-bit weights; 8-bit activations with the scales of ``ranges``, which maps each place to what
    was seen there.
    """

    def __init__(self, ranges: Mapping[str, Range]) -> None:
        self._ranges = ranges
        self._quantised: dict[tuple[GraphBuilder, str, str], str] = {}

    def linear(
        self, graph: GraphBuilder, x: str, weight_OI: Array, bias_O: Array | None, place: str
    ) -> str:
        scale, zero = self._activation(graph, place)
        weight_IO, column_scale_O = _symmetric(weight_OI.T, axis=0)
        inputs = [
            self._quantise(graph, x, scale, zero),
            graph.constant(weight_IO, "weight"),
            scale,
            graph.constant(column_scale_O[0], "scale"),
            zero,
            "",  # weights are symmetric: their zero point is 0
            graph.constant(bias_O.astype(np.float32), "bias") if bias_O is not None else "",
        ]
        while not inputs[-1]:
            inputs.pop()
        return graph.op("MatMulIntegerToFloat", *inputs, domain=CONTRIB)

    def selected(
        self, graph: GraphBuilder, x: str, layer: tuple[Array, Array], place: str, chosen_W: str
    ) -> str:
        # By row, as an embedding table is: weights that are both are stored once.
        scale, zero = self._activation(graph, place)
        rows_OI, scale_O1 = _symmetric(layer[0], axis=1)
        chosen_WI = graph.op("Gather", graph.constant(rows_OI, "embedding"), chosen_W)
        inputs = [
            self._quantise(graph, x, scale, zero),
            graph.op("Transpose", chosen_WI, perm=[1, 0]),
            scale,
            graph.op("Gather", graph.constant(scale_O1[:, 0], "scale"), chosen_W),
            zero,
            "",
            graph.op("Gather", graph.constant(layer[1].astype(np.float32), "bias"), chosen_W),
        ]
        return graph.op("MatMulIntegerToFloat", *inputs, domain=CONTRIB)

    def lookup(self, graph: GraphBuilder, ids: str, table_VE: Array, factor: float = 1.0) -> str:
        rows_VE, scale_V1 = _symmetric(table_VE, axis=1)
        rows = graph.op("Gather", graph.constant(rows_VE, "embedding"), ids)
        scale_V1 = (scale_V1 * factor).astype(np.float32)
        scales = graph.op("Gather", graph.constant(scale_V1, "scale"), ids)
        return graph.op("Mul", graph.op("Cast", rows, to=1), scales)

    def rectify(self, graph: GraphBuilder, x: str, place: str) -> str:
        # Nothing below 0 was seen at the place, so 0 is its least value: quantising rectifies.
        return x if self._ranges[place].low == 0 else graph.op("Relu", x)

    def _activation(self, graph: GraphBuilder, place: str) -> tuple[str, str]:
        seen = self._ranges[place]
        # Where a processor without VNNI adds two products in 16 bits they may saturate; onnxruntime
        # converts the weights there (the session asks for it), so the full 8 bits can be used.
        scale = max(seen.high - seen.low, 1e-6) / 255
        zero = int(np.clip(round(-seen.low / scale), 0, 255))
        return graph.constant(np.array(scale, np.float32), "scale"), graph.constant(
            np.array(zero, np.uint8), "zero"
        )

    def _quantise(self, graph: GraphBuilder, x: str, scale: str, zero: str) -> str:
        """One quantisation of a value serves all the products that read it."""
        key = (graph, x, scale + zero)
        if key not in self._quantised:
            self._quantised[key] = graph.op("QuantizeLinear", x, scale, zero)
        return self._quantised[key]


class Within:
    """Another arithmetic, for a model that is part of a larger one: places get its name before
    theirs.
    """

    def __init__(self, whole: Arithmetic, part: str) -> None:
        self._whole = whole
        self._part = part

    def linear(
        self, graph: GraphBuilder, x: str, weight_OI: Array, bias_O: Array | None, place: str
    ) -> str:
        return self._whole.linear(graph, x, weight_OI, bias_O, f"{self._part}.{place}")

    def lookup(self, graph: GraphBuilder, ids: str, table_VE: Array, factor: float = 1.0) -> str:
        return self._whole.lookup(graph, ids, table_VE, factor)

    def selected(
        self, graph: GraphBuilder, x: str, layer: tuple[Array, Array], place: str, chosen_W: str
    ) -> str:
        return self._whole.selected(graph, x, layer, f"{self._part}.{place}", chosen_W)

    def rectify(self, graph: GraphBuilder, x: str, place: str) -> str:
        return self._whole.rectify(graph, x, f"{self._part}.{place}")


def _symmetric(values: Array, axis: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """int8 values and their scale, one for each slice along ``axis`` (kept as an axis of size
    1).
    """
    scale = np.maximum(np.abs(values).max(axis=axis, keepdims=True), 1e-8).astype(
        np.float32
    ) / np.float32(127)
    return np.clip(np.rint(values / scale), -127, 127).astype(np.int8), scale
