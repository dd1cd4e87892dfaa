"""Recurrent cells as ONNX nodes: what an input says to the gates, and one step.

The two are apart because all inputs of a known sequence are read in one product, before the loop
over the steps begins. Where an input is known only when its step is due, both are one product.

Shapes: B rows, D input features, H hidden units, X gates together (4H for an LSTM, 3H for a GRU, H
where there are none).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from training.export.arithmetic import Arithmetic, Array, Term
from training.export.builder import GraphBuilder
from training.export.common import linear
from training.export.interface import array
from training.layers import Recurrent, RecurrentLayer
from training.layers.cells import GateNorm, Gates, StepCell

__all__ = ["CellGraph", "DeepCells", "WrittenCell", "cell_graph"]


class CellGraph(Protocol):
    """A cell, or several in a row, written into a graph."""

    def read(self, g: GraphBuilder, x: str) -> str:
        """What the input says, [..., X] of [..., D]."""
        ...

    def step(self, g: GraphBuilder, part_BX: str, state: list[str]) -> list[str]:
        """The next state, whose first tensor is the output."""
        ...

    def advance(self, g: GraphBuilder, x_BD: str, state: list[str]) -> list[str]:
        """``step`` with what ``read`` makes of ``x_BD``, at once where gates add the two up."""
        ...


def cell_graph(layer: RecurrentLayer, name: str, arithmetic: Arithmetic) -> CellGraph:
    """The layer's own kind; ``name`` is its name in the model."""
    if isinstance(layer, Recurrent):
        return FusedCell(layer, name, arithmetic)
    return DeepCells.of(layer.levels, f"{name}.cells", arithmetic)


@dataclass(frozen=True)
class FusedCell:
    """``layers.Recurrent``: the weights of torch's own kernels."""

    layer: Recurrent
    name: str
    arithmetic: Arithmetic

    def read(self, g: GraphBuilder, x: str) -> str:
        return self._linear(g, x, "ih", "input")

    def step(self, g: GraphBuilder, part_BX: str, state: list[str]) -> list[str]:
        back_BX = self._linear(g, state[0], "hh", "hidden")
        if self.layer.cell == "gru":
            return [_gru(g, self.layer.hidden, part_BX, back_BX, state[0])]
        return _summed(g, self.layer, g.op("Add", part_BX, back_BX), state)

    def advance(self, g: GraphBuilder, x_BD: str, state: list[str]) -> list[str]:
        if self.layer.cell == "gru":  # its reset gate acts on what the state says alone
            return self.step(g, self.read(g, x_BD), state)
        (inward, bias_in), (back, bias_back) = self._weights("ih"), self._weights("hh")
        terms = [
            Term(x_BD, inward, f"{self.name}.input"),
            Term(state[0], back, f"{self.name}.hidden"),
        ]
        gates_BX = self.arithmetic.summed(g, terms, bias_in + bias_back)
        return _summed(g, self.layer, gates_BX, state)

    def _linear(self, g: GraphBuilder, x: str, part: str, place: str) -> str:
        return self.arithmetic.linear(g, x, *self._weights(part), f"{self.name}.{place}")

    def _weights(self, part: str) -> tuple[Array, Array]:
        """Of the input ("ih") or the state ("hh"): weight [X, D] or [X, H], and bias [X]."""
        weight, bias = (
            array(self.layer.rnn.get_parameter(f"{kind}_{part}_l0")) for kind in ("weight", "bias")
        )
        return weight, bias


@dataclass(frozen=True)
class WrittenCell:
    """``layers.StepCell``, normed or not; it reads nothing where ``part_BX`` is empty."""

    cell: StepCell
    name: str
    arithmetic: Arithmetic

    def read(self, g: GraphBuilder, x: str) -> str:
        assert self.cell.inward is not None
        return self._gates(g, x, self.cell.inward, "inward")

    def step(self, g: GraphBuilder, part_BX: str, state: list[str]) -> list[str]:
        back_BX = self._gates(g, state[0], self.cell.back, "back")
        if self.cell.cell == "gru":
            return [_gru(g, self.cell.hidden, part_BX, back_BX, state[0])]
        gates_BX = g.op("Add", part_BX, back_BX) if part_BX else back_BX
        return _summed(g, self.cell, gates_BX, state, self.cell.shown)

    def advance(self, g: GraphBuilder, x_BD: str, state: list[str]) -> list[str]:
        inward, back = self.cell.inward, self.cell.back
        assert inward is not None
        if self.cell.cell == "gru" or inward.norm is not None:
            return self.step(g, self.read(g, x_BD), state)
        terms = [
            Term(x_BD, array(inward.linear.weight), f"{self.name}.inward.linear"),
            Term(state[0], array(back.linear.weight), f"{self.name}.back.linear"),
        ]
        gates_BX = self.arithmetic.summed(g, terms, array(inward.bias) + array(back.bias))
        return _summed(g, self.cell, gates_BX, state, self.cell.shown)

    def _gates(self, g: GraphBuilder, x: str, gates: Gates, side: str) -> str:
        part = linear(g, self.arithmetic, x, gates.linear, f"{self.name}.{side}.linear")
        return part if gates.norm is None else _normed(g, gates.norm, part)


@dataclass(frozen=True)
class DeepCells:
    """Several cells that a step goes through; the first one reads."""

    levels: tuple[WrittenCell, ...]

    @classmethod
    def of(cls, cells: Sequence[StepCell], name: str, arithmetic: Arithmetic) -> DeepCells:
        """``name`` is that of the list which holds the cells."""
        return cls(
            tuple(
                WrittenCell(cell, f"{name}.{level}", arithmetic) for level, cell in enumerate(cells)
            )
        )

    def read(self, g: GraphBuilder, x: str) -> str:
        return self.levels[0].read(g, x)

    def step(self, g: GraphBuilder, part_BX: str, state: list[str]) -> list[str]:
        return self._onward(g, self.levels[0].step(g, part_BX, state))

    def advance(self, g: GraphBuilder, x_BD: str, state: list[str]) -> list[str]:
        return self._onward(g, self.levels[0].advance(g, x_BD, state))

    def _onward(self, g: GraphBuilder, state: list[str]) -> list[str]:
        for cell in self.levels[1:]:
            state = cell.step(g, "", state)
        return state


def _summed(
    g: GraphBuilder,
    cell: Recurrent | StepCell,
    gates_BX: str,
    state: list[str],
    shown: GateNorm | None = None,
) -> list[str]:
    """The next state of a cell whose gates add up what input and state say; ``shown`` normalises
    the memory before it is shown.
    """
    if cell.cell == "rnn":
        return [g.op("Tanh", gates_BX)]
    outward, c_after = _lstm(g, cell.hidden, gates_BX, state[1])
    seen = c_after if shown is None else _normed(g, shown, c_after)
    return [g.op("Mul", outward, g.op("Tanh", seen)), c_after]


def _lstm(g: GraphBuilder, hidden: int, gates_BX: str, c_BH: str) -> tuple[str, str]:
    """The open output gate, and the memory behind it. Torch's order: input, forget, cell,
    output.
    """
    inward, forget, cell, outward = g.ops(
        "Split", gates_BX, g.ints(*[hidden] * 4), outputs=4, axis=-1
    )
    written = g.op("Mul", g.op("Sigmoid", inward), g.op("Tanh", cell))
    kept = g.op("Mul", g.op("Sigmoid", forget), c_BH)
    return g.op("Sigmoid", outward), g.op("Add", written, kept)


def _gru(g: GraphBuilder, hidden: int, part_BX: str, back_BX: str, h_BH: str) -> str:
    """Torch's order: reset, update, new; the reset gate acts behind the recurrent product."""
    sizes = g.ints(2 * hidden, hidden)
    gates, back_new = g.ops("Split", back_BX, sizes, outputs=2, axis=-1)
    part_new = ""
    if part_BX:
        part_gates, part_new = g.ops("Split", part_BX, sizes, outputs=2, axis=-1)
        gates = g.op("Add", part_gates, gates)
    reset, update = g.ops(
        "Split", g.op("Sigmoid", gates), g.ints(hidden, hidden), outputs=2, axis=-1
    )
    kept = g.op("Mul", reset, back_new)
    new = g.op("Tanh", g.op("Add", part_new, kept) if part_new else kept)
    # (1 - z) n + z h = n + z (h - n)
    return g.op("Add", new, g.op("Mul", update, g.op("Sub", h_BH, new)))


def _normed(g: GraphBuilder, norm: GateNorm, x: str) -> str:
    """Each gate by itself."""
    gates = norm.gates
    gains, biases = (array(part).reshape(gates, -1) for part in (norm.gain, norm.bias))
    hidden = gains.shape[1]
    apart = [x]
    if gates > 1:
        apart = g.ops("Split", x, g.ints(*[hidden] * gates), outputs=gates, axis=-1)
    normed = [
        g.op(
            "LayerNormalization",
            each,
            g.constant(gain, "norm"),
            g.constant(bias, "norm"),
            axis=-1,
            epsilon=norm.eps,
        )
        for each, gain, bias in zip(apart, gains, biases, strict=True)
    ]
    return normed[0] if gates == 1 else g.op("Concat", *normed, axis=-1)
