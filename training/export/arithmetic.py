"""How the multiplications of a graph are done: what ways there are of them, and the plain one.

Shapes: I inputs, O outputs, V vocabulary, E embedding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from training.export.builder import GraphBuilder

__all__ = ["Arithmetic", "Array", "Float32", "Term", "Within"]

Array = NDArray[Any]


class Term(NamedTuple):
    """X W^T of a sum. ``place`` names the activation ``x``: equal places share its quantisation."""

    x: str
    weight_OI: Array
    place: str


class Arithmetic(Protocol):
    """Emits the operations that hold nearly all weights of a model."""

    def linear(
        self, graph: GraphBuilder, x: str, weight_OI: Array, bias_O: Array | None, place: str
    ) -> str:
        """X W^T + b, which is the sum of one term."""
        ...

    def summed(self, graph: GraphBuilder, terms: Sequence[Term], bias_O: Array) -> str:
        """X W^T + Y V^T + ... + b."""
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

    def summed(self, graph: GraphBuilder, terms: Sequence[Term], bias_O: Array) -> str:
        first, *rest = terms
        total = self.linear(graph, first.x, first.weight_OI, bias_O, first.place)
        for term in rest:
            part = self.linear(graph, term.x, term.weight_OI, None, term.place)
            total = graph.op("Add", total, part)
        return total

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

    def summed(self, graph: GraphBuilder, terms: Sequence[Term], bias_O: Array) -> str:
        here = [term._replace(place=f"{self._part}.{term.place}") for term in terms]
        return self._whole.summed(graph, here, bias_O)

    def lookup(self, graph: GraphBuilder, ids: str, table_VE: Array, factor: float = 1.0) -> str:
        return self._whole.lookup(graph, ids, table_VE, factor)

    def selected(
        self, graph: GraphBuilder, x: str, layer: tuple[Array, Array], place: str, chosen_W: str
    ) -> str:
        return self._whole.selected(graph, x, layer, f"{self._part}.{place}", chosen_W)

    def rectify(self, graph: GraphBuilder, x: str, place: str) -> str:
        return self._whole.rectify(graph, x, f"{self._part}.{place}")
