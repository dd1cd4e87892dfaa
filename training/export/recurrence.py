"""Recurrent layers as ONNX nodes: one step, and a whole layer as a Scan over that step.

A Scan with one integer product per step is as quick as onnxruntime's own LSTM for one sentence and
two and a half times as quick for 64; the stock 8-bit LSTM takes its scales from the batch and is of
no use here, and there is no 8-bit GRU at all.

Shapes: T time steps, B rows, D input features, H hidden units, X gates together.
"""

from __future__ import annotations

from collections.abc import Sequence

from training.export.arithmetic import Arithmetic
from training.export.builder import GraphBuilder
from training.export.cells import CellGraph, cell_graph
from training.export.common import linear
from training.layers import BiRecurrent, RecurrentLayer, Ssru

__all__ = ["emit_bidirectional", "emit_reading", "emit_ssru_step", "emit_step"]


def emit_step(
    graph: GraphBuilder,
    arithmetic: Arithmetic,
    layer: RecurrentLayer,
    name: str,
    x_BD: str,
    state: list[str],
) -> list[str]:
    """One step for all rows; the next state, whose first tensor is the output."""
    return cell_graph(layer, name, arithmetic).advance(graph, x_BD, state)


def emit_ssru_step(
    graph: GraphBuilder, arithmetic: Arithmetic, layer: Ssru, name: str, x_BH: str, c_BH: str
) -> list[str]:
    """One step for all rows; the output, and the next state."""
    forget_BH = graph.op("Sigmoid", linear(graph, arithmetic, x_BH, layer.forget, f"{name}.forget"))
    written_BH = linear(graph, arithmetic, x_BH, layer.write, f"{name}.write")
    # f c + (1 - f) w = w + f (c - w)
    kept_BH = graph.op("Mul", forget_BH, graph.op("Sub", c_BH, written_BH))
    after_BH = graph.op("Add", written_BH, kept_BH)
    return [graph.op("Relu", after_BH), after_BH]


def emit_bidirectional(
    graph: GraphBuilder,
    arithmetic: Arithmetic,
    layer: BiRecurrent,
    name: str,
    x_TBD: str,
    real_TB1: str,
) -> tuple[str, str]:
    """A whole layer.

    ``real_TB1`` is true at real positions. At padded ones a state stays as it was: the forward
    direction ends with its last real state, the backward one begins at the last real position with
    zeros.

    Returns:
        Outputs [T, B, width] and last states [B, width] of both directions, side by side.
    """
    directions = [cell_graph(layer.ahead, f"{name}.ahead", arithmetic)]
    if layer.back is not None:
        directions.append(cell_graph(layer.back, f"{name}.back", arithmetic))
    outputs, last = _scan(graph, directions, _State(layer.ahead), x_TBD, real_TB1)
    return _side_by_side(graph, outputs), _side_by_side(graph, [state[0] for state in last])


def emit_reading(
    graph: GraphBuilder,
    arithmetic: Arithmetic,
    layer: RecurrentLayer,
    name: str,
    x_TBD: str,
    real_TB1: str,
) -> tuple[str, list[str]]:
    """A whole layer in one direction, from zeros: outputs [T, B, H] and the whole last state."""
    cell = cell_graph(layer, name, arithmetic)
    outputs, last = _scan(graph, [cell], _State(layer), x_TBD, real_TB1)
    return outputs[0], last[0]


class _State:
    """How large the state of a direction is."""

    def __init__(self, layer: RecurrentLayer) -> None:
        self.hidden = layer.hidden
        self.parts = layer.states


def _scan(
    graph: GraphBuilder, directions: Sequence[CellGraph], size: _State, x_TBD: str, real_TB1: str
) -> tuple[list[str], list[list[str]]]:
    """All steps of the first direction ahead, of the second backwards: outputs and last states."""
    hidden, per_state, count = size.hidden, size.parts, len(directions)
    rows = graph.op("Shape", x_TBD, start=1, end=2)
    zeros_BH = graph.op("ConstantOfShape", graph.op("Concat", rows, graph.ints(hidden), axis=0))

    body = graph.subgraph()
    states = [
        [body.input(body.fresh("state"), "float32", ["B", hidden]) for _ in range(per_state)]
        for _ in directions
    ]
    parts = [body.input(body.fresh("part"), "float32", ["B", "X"]) for _ in directions]
    reals = [body.input(body.fresh("real"), "bool", ["B", 1]) for _ in directions]
    kept: list[list[str]] = []
    for cell, state, part, real in zip(directions, states, parts, reals, strict=True):
        after = cell.step(body, part, state)
        kept.append(
            [body.op("Where", real, new, old) for new, old in zip(after, state, strict=True)]
        )
    for value in [tensor for state in kept for tensor in state] + [state[0] for state in kept]:
        body.output(body.fresh("out"), value, "float32", ["B", hidden])

    backwards = [0, 1][:count]
    results = graph.ops(
        "Scan",
        *[zeros_BH] * (per_state * count),
        *(cell.read(graph, x_TBD) for cell in directions),
        *[real_TB1] * count,
        outputs=per_state * count + count,
        body=body.body("steps"),
        num_scan_inputs=2 * count,
        scan_input_directions=backwards * 2,
        scan_output_directions=backwards,
    )
    last = [results[i * per_state : (i + 1) * per_state] for i in range(count)]
    return results[per_state * count :], last


def _side_by_side(graph: GraphBuilder, values: list[str]) -> str:
    return values[0] if len(values) == 1 else graph.op("Concat", *values, axis=-1)
