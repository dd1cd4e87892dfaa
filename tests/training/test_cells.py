"""Cells that are written out: the same numbers as the fused kernels, and what those cannot do.

Shapes: T time steps, B rows, D input features, H hidden units, S source positions, M memory width.
"""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.layers import Conditional, DeepRecurrent, Recurrent, make_recurrent
from training.layers.cells import GateNorm, Gates, StepCell
from training.layers.recurrent import Cell

Array = NDArray[np.float64]
CELLS: list[Cell] = ["rnn", "lstm", "gru"]


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(5)


@pytest.fixture(params=CELLS)
def cell(request: pytest.FixtureRequest) -> Cell:
    chosen: Cell = request.param
    return chosen


def numbers(tensor: Tensor | torch.nn.Parameter) -> Array:
    return np.asarray(tensor.detach().double().numpy())


def shaken(module: torch.nn.Module) -> None:
    """Give every weight and bias a value that matters."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(std=0.5)


def states(count: int, rows: int = 2, hidden: int = 4) -> tuple[Tensor, ...]:
    return tuple(torch.randn(rows, hidden) for _ in range(count))


def close(got: Tensor, wanted: Tensor) -> None:
    torch.testing.assert_close(got, wanted, atol=1e-6, rtol=0)


def test_a_cell_written_out_is_the_fused_one(cell: Cell) -> None:
    fused, written = Recurrent(cell, 3, 4), DeepRecurrent(cell, 3, 4)
    shaken(fused)
    [only] = written.levels
    assert only.inward is not None
    learnt = dict(fused.rnn.named_parameters())
    with torch.no_grad():
        for side, name in ((only.inward, "ih"), (only.back, "hh")):
            side.linear.weight.copy_(learnt[f"weight_{name}_l0"])
            side.linear.bias.copy_(learnt[f"bias_{name}_l0"])
    x_TBD, start = torch.randn(6, 2, 3), states(fused.states)
    (wanted_TBH, wanted), (y_TBH, end) = fused(x_TBD, start), written(x_TBD, start)

    close(y_TBH, wanted_TBH)
    for one, other in zip(end, wanted, strict=True):
        close(one, other)


def test_it_starts_as_the_fused_one_does(cell: Cell) -> None:
    fused, written = Recurrent(cell, 3, 4), StepCell(cell, 3, 4, normed=False)
    learnt = dict(fused.rnn.named_parameters())
    total = learnt["bias_ih_l0"] + learnt["bias_hh_l0"]

    assert written.inward is not None
    assert total.tolist() == (written.inward.bias + written.back.bias).tolist()
    for gate in written.back.linear.weight.detach().split(4):
        torch.testing.assert_close(gate @ gate.t(), torch.eye(4), atol=1e-5, rtol=0)


def test_a_gate_is_normalised_by_itself() -> None:
    norm = GateNorm(3, 5)
    shaken(norm)
    x = torch.randn(2, 15)
    wanted = []
    for gate in np.split(numbers(x), 3, axis=1):
        centred = gate - gate.mean(1, keepdims=True)
        wanted.append(centred / np.sqrt((centred**2).mean(1, keepdims=True) + 1e-5))

    np.testing.assert_allclose(
        numbers(norm(x)),
        np.concatenate(wanted, axis=1) * numbers(norm.gain) + numbers(norm.bias),
        atol=1e-5,
    )


def test_a_normed_cell_is_not_moved_by_the_scale_of_its_input(cell: Cell) -> None:
    layer = DeepRecurrent(cell, 3, 4, normed=True)
    shaken(layer)
    x_TBD = torch.randn(5, 2, 3)

    torch.testing.assert_close(layer(x_TBD)[0], layer(50 * x_TBD)[0], atol=1e-3, rtol=0)


def test_a_normed_lstm_shows_its_memory_normalised() -> None:
    layer = StepCell("lstm", 3, 4, normed=True)
    shaken(layer)
    assert layer.inward is not None
    assert layer.shown is not None
    part_BX, (h_BH, c_BH) = layer.inward(torch.randn(2, 3)), states(2)
    inward, forget, new, outward = (part_BX + layer.back(h_BH)).chunk(4, -1)
    c_after = forget.sigmoid() * c_BH + inward.sigmoid() * new.tanh()
    after = layer(part_BX, (h_BH, c_BH))

    close(after[1], c_after)
    close(after[0], outward.sigmoid() * layer.shown(c_after).tanh())


def test_a_deep_transition_goes_through_all_its_cells(cell: Cell) -> None:
    layer = DeepRecurrent(cell, 3, 4, depth=3)
    shaken(layer)
    first, *deeper = layer.levels
    assert isinstance(first.inward, Gates)
    x_BD, state = torch.randn(2, 3), states(layer.states)
    wanted = first(first.inward(x_BD), state)
    for each in deeper:
        assert each.inward is None
        wanted = each(None, wanted)

    for one, other in zip(layer.step(x_BD, state)[1], wanted, strict=True):
        close(one, other)


def test_a_cell_that_reads_nothing_is_one_whose_input_says_nothing(cell: Cell) -> None:
    layer = StepCell(cell, 0, 4, normed=False)
    shaken(layer)
    state = states(layer.states)
    silence_BX = torch.zeros(2, layer.back.linear.out_features)

    for one, other in zip(layer(None, state), layer(silence_BX, state), strict=True):
        close(one, other)


@pytest.mark.parametrize(("depth", "normed"), [(2, False), (1, True), (3, True)])
def test_steps_one_by_one_are_the_whole_sequence(cell: Cell, depth: int, normed: bool) -> None:
    layer = make_recurrent(cell, 3, 4, depth=depth, normed=normed)
    shaken(layer)
    x_TBD = torch.randn(7, 2, 3)
    whole_TBH, end = layer(x_TBD)
    state = tuple(torch.zeros(2, 4) for _ in range(layer.states))
    for x_BD, wanted_BH in zip(x_TBD, whole_TBH, strict=True):
        y_BH, state = layer.step(x_BD, state)
        close(y_BH, wanted_BH)

    for got, wanted in zip(state, end, strict=True):
        close(got, wanted)


def test_what_the_fused_kernels_can_do_they_do(cell: Cell) -> None:
    assert isinstance(make_recurrent(cell, 3, 4), Recurrent)
    assert isinstance(make_recurrent(cell, 3, 4, normed=True), DeepRecurrent)
    assert isinstance(make_recurrent(cell, 3, 4, depth=2), DeepRecurrent)


def test_a_conditional_step_is_cell_attention_cell(cell: Cell) -> None:
    layer = Conditional(cell, 3, 5, 4, depth=3, normed=False)
    shaken(layer)
    first, second, third = layer.levels
    answer_HM = torch.randn(4, 5)
    asked: list[Tensor] = []

    def look(query_BH: Tensor) -> tuple[Tensor, Tensor]:
        asked.append(query_BH)
        return query_BH @ answer_HM, query_BH[:, :2]

    x_TBD, start = torch.randn(2, 2, 3), states(layer.states)
    found = layer(x_TBD, start, look)
    assert first.inward is not None
    assert second.inward is not None
    state = start
    for t, x_BD in enumerate(x_TBD):
        state = first(first.inward(x_BD), state)
        close(asked[t], state[0])
        context_BM = state[0] @ answer_HM
        close(found.context_TBM[t], context_BM)
        close(found.weights_BTS[:, t], state[0][:, :2])
        state = third(None, second(second.inward(context_BM), state))
        close(found.h_TBH[t], state[0])

    for one, other in zip(found.state, state, strict=True):
        close(one, other)
