"""Recurrent cells as ONNX nodes: what an input says to the gates, and one step.

The two are apart because all inputs of a known sequence are read in one product, before the loop
over the steps begins.

Shapes: B rows, D input features, H hidden units, X gates together (4H for an LSTM, 3H for a GRU, H
where there are none).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from training.export.arithmetic import Arithmetic
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
        hidden = self.layer.hidden
        match self.layer.cell:
            case "rnn":
                return [g.op("Tanh", g.op("Add", part_BX, back_BX))]
            case "lstm":
                outward, c_after = _lstm(g, hidden, g.op("Add", part_BX, back_BX), state[1])
                return [g.op("Mul", outward, g.op("Tanh", c_after)), c_after]
            case "gru":
                return [_gru(g, hidden, part_BX, back_BX, state[0])]

    def _linear(self, g: GraphBuilder, x: str, part: str, place: str) -> str:
        weight, bias = (
            array(self.layer.rnn.get_parameter(f"{kind}_{part}_l0")) for kind in ("weight", "bias")
        )
        return self.arithmetic.linear(g, x, weight, bias, f"{self.name}.{place}")


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
        hidden = self.cell.hidden
        if self.cell.cell == "gru":
            return [_gru(g, hidden, part_BX, back_BX, state[0])]
        both_BX = g.op("Add", part_BX, back_BX) if part_BX else back_BX
        if self.cell.cell == "rnn":
            return [g.op("Tanh", both_BX)]
        outward, c_after = _lstm(g, hidden, both_BX, state[1])
        norm = self.cell.shown
        shown = c_after if norm is None else _normed(g, norm, c_after)
        return [g.op("Mul", outward, g.op("Tanh", shown)), c_after]

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
        for cell in self.levels:
            state = cell.step(g, part_BX, state)
            part_BX = ""
        return state


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
