"""The arithmetic of each layer against the same formula in plain numpy, and the laws it keeps.

Shapes: B sentences, S source positions, T time steps or queries, D features, H hidden units.
"""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from tests.training.tiny import SPECIAL
from training.config import ModelConfig
from training.layers import (
    AdditiveAttention,
    Attention,
    BiRecurrent,
    DotAttention,
    GeneralAttention,
    HeadsAttention,
    Recurrent,
    SharedDropout,
    drop_words,
    make_attention,
)
from training.layers.recurrent import Cell

Array = NDArray[np.float64]
CELLS: list[Cell] = ["rnn", "lstm", "gru"]


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(5)


def numbers(tensor: Tensor | torch.nn.Parameter) -> Array:
    return np.asarray(tensor.detach().double().numpy())


def sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))


def shaken(module: torch.nn.Module) -> None:
    """Give every weight and bias a value that matters."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(std=0.5)


# --- attention ----------------------------------------------------------------------------------


def attention_oracle(
    layer: Attention, query: Array, memory: Array, length: int
) -> tuple[Array, Array]:
    """Context and weights of one query over the first ``length`` positions, one by one."""
    scores = []
    for position in memory[:length]:
        if isinstance(layer, GeneralAttention):
            scores.append(numbers(layer.query.weight) @ query @ position)
        elif isinstance(layer, AdditiveAttention):
            inner = (
                numbers(layer.query.weight) @ query
                + numbers(layer.memory.weight) @ position
                + numbers(layer.memory.bias)
            )
            scores.append(numbers(layer.energy.weight)[0] @ np.tanh(inner))
        else:
            scores.append(query @ position)
    likely = np.exp(np.array(scores) - max(scores))
    weights = np.zeros(len(memory))
    weights[:length] = likely / likely.sum()
    return weights @ memory, weights


ATTENTIONS = [DotAttention(), GeneralAttention(6, 6), AdditiveAttention(6, 6, 5)]


@pytest.mark.parametrize("layer", ATTENTIONS, ids=["dot", "general", "additive"])
def test_attention_is_its_formula_over_the_real_positions(layer: Attention) -> None:
    shaken(layer)
    query_BTQ, memory_BSM = torch.randn(3, 4, 6), torch.randn(3, 5, 6)
    lengths = [5, 2, 1]
    mask_BS = torch.arange(5) < torch.tensor(lengths).unsqueeze(1)
    context_BTM, weights_BTS = layer(query_BTQ, memory_BSM, layer.keys(memory_BSM), mask_BS)

    for b, length in enumerate(lengths):
        for t in range(4):
            context, weights = attention_oracle(
                layer, numbers(query_BTQ[b, t]), numbers(memory_BSM[b]), length
            )
            np.testing.assert_allclose(numbers(context_BTM[b, t]), context, atol=1e-5)
            np.testing.assert_allclose(numbers(weights_BTS[b, t]), weights, atol=1e-5)


@pytest.mark.parametrize("layer", ATTENTIONS, ids=["dot", "general", "additive"])
def test_nothing_behind_the_end_is_attended_to(layer: Attention) -> None:
    query_BTQ, memory_BSM = torch.randn(1, 2, 6), torch.randn(1, 4, 6)
    mask_BS = torch.tensor([[True, True, False, False]])
    before = layer(query_BTQ, memory_BSM, layer.keys(memory_BSM), mask_BS)
    memory_BSM[:, 2:] = 1e6
    after = layer(query_BTQ, memory_BSM, layer.keys(memory_BSM), mask_BS)

    assert 0 == after[1][..., 2:].abs().max()
    assert torch.equal(before[0][..., :2], after[0][..., :2])


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("none", type(None)),
        ("dot", DotAttention),
        ("general", GeneralAttention),
        ("additive", AdditiveAttention),
        ("multihead", HeadsAttention),
    ],
)
def test_a_recipe_names_its_attention(name: str, kind: type) -> None:
    assert kind is type(make_attention(ModelConfig(attention=name)))  # type: ignore[arg-type]  # a value of the parameter


def test_multi_head_attention_is_its_formula_asked_by_a_state_of_another_width() -> None:
    layer = HeadsAttention(6, 5, 4, heads=2)
    shaken(layer)
    parts = {name: numbers(part) for name, part in layer.heads.named_parameters()}

    def through(name: str, x: Array) -> Array:
        return np.asarray(parts[f"{name}.weight"] @ x + parts[f"{name}.bias"])

    query_BTQ, memory_BSM = torch.randn(1, 1, 6), torch.randn(1, 4, 5)
    mask_BS = torch.tensor([[True, True, True, False]])
    context_BTM, weights_BTS = layer(query_BTQ, memory_BSM, layer.keys(memory_BSM), mask_BS)
    query, memory = through("query", numbers(query_BTQ[0, 0])), numbers(memory_BSM[0, :3])
    found, weights = [], []
    for head in (slice(0, 2), slice(2, 4)):
        scores = [query[head] @ through("key", m)[head] / np.sqrt(2) for m in memory]
        likely = np.exp(scores) / np.exp(scores).sum()
        weights.append(likely)
        found.append(
            sum(w * through("value", m)[head] for w, m in zip(likely, memory, strict=True))
        )

    np.testing.assert_allclose(
        numbers(context_BTM[0, 0]), through("out", np.concatenate(found)), atol=1e-5
    )
    np.testing.assert_allclose(
        numbers(weights_BTS[0, 0]), [*np.mean(weights, axis=0), 0.0], atol=1e-5
    )


# --- recurrent layers ---------------------------------------------------------------------------


def recurrent_oracle(
    layer: Recurrent, x_TD: Array, state: list[Array]
) -> tuple[Array, list[Array]]:
    """One sequence, step by step, as the papers have it (PyTorch's order of the gates)."""
    learnt = dict(layer.rnn.named_parameters())
    w_ih, w_hh, b_ih, b_hh = (
        numbers(learnt[f"{name}_l0"]) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    outputs = []
    for x in x_TD:
        inward, back = w_ih @ x + b_ih, w_hh @ state[0] + b_hh
        if layer.cell == "rnn":
            state = [np.tanh(inward + back)]
        elif layer.cell == "lstm":
            i, f, g, o = np.split(inward + back, 4)
            c = sigmoid(f) * state[1] + sigmoid(i) * np.tanh(g)
            state = [sigmoid(o) * np.tanh(c), c]
        else:
            (r_in, z_in, n_in), (r_back, z_back, n_back) = np.split(inward, 3), np.split(back, 3)
            reset, update = sigmoid(r_in + r_back), sigmoid(z_in + z_back)
            new = np.tanh(n_in + reset * n_back)
            state = [(1 - update) * new + update * state[0]]
        outputs.append(state[0])
    return np.array(outputs), state


@pytest.mark.parametrize("cell", CELLS)
def test_a_cell_is_its_formula(cell: Cell) -> None:
    layer = Recurrent(cell, 3, 4)
    shaken(layer)
    x_TBD, start = torch.randn(6, 2, 3), tuple(torch.randn(2, 4) for _ in range(layer.states))
    y_TBH, end = layer(x_TBD, start)

    for b in range(2):
        outputs, last = recurrent_oracle(
            layer, numbers(x_TBD[:, b]), [numbers(part[b]) for part in start]
        )
        np.testing.assert_allclose(numbers(y_TBH[:, b]), outputs, atol=1e-5)
        for got, wanted in zip(end, last, strict=True):
            np.testing.assert_allclose(numbers(got[b]), wanted, atol=1e-5)


@pytest.mark.parametrize("cell", CELLS)
def test_steps_one_by_one_are_the_whole_sequence(cell: Cell) -> None:
    layer = Recurrent(cell, 3, 4)
    shaken(layer)
    x_TBD = torch.randn(7, 2, 3)
    whole_TBH, end = layer(x_TBD)
    state = tuple(torch.zeros(2, 4) for _ in range(layer.states))
    for x_BD, wanted_BH in zip(x_TBD, whole_TBH, strict=True):
        y_BH, state = layer.step(x_BD, state)
        torch.testing.assert_close(y_BH, wanted_BH, atol=1e-6, rtol=0)

    for got, wanted in zip(state, end, strict=True):
        torch.testing.assert_close(got, wanted, atol=1e-6, rtol=0)


@pytest.mark.parametrize("cell", CELLS)
def test_recurrent_weights_start_orthogonal(cell: Cell) -> None:
    layer = Recurrent(cell, 3, 8)

    recurrent = dict(layer.rnn.named_parameters())["weight_hh_l0"].detach()
    for gate in recurrent.chunk(len(recurrent) // 8):
        torch.testing.assert_close(gate @ gate.t(), torch.eye(8), atol=1e-5, rtol=0)


def test_an_lstm_starts_by_remembering() -> None:
    layer = Recurrent("lstm", 3, 4)
    learnt = dict(layer.rnn.named_parameters())
    total = (learnt["bias_ih_l0"] + learnt["bias_hh_l0"]).detach()

    assert [0.0] * 4 + [1.0] * 4 + [0.0] * 8 == total.tolist()


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("bidirectional", [True, False])
def test_padding_on_the_right_changes_nothing(cell: Cell, bidirectional: bool) -> None:
    layer = BiRecurrent(cell, 3, 4, bidirectional=bidirectional)
    shaken(layer)
    lengths = [6, 3, 1]
    x_TBD = torch.randn(8, 3, 3)
    together_TBH = layer(x_TBD, torch.tensor(lengths))

    for b, length in enumerate(lengths):
        alone_TBH = layer(x_TBD[:length, b : b + 1], torch.tensor([length]))
        torch.testing.assert_close(together_TBH[:length, b], alone_TBH[:, 0], atol=1e-6, rtol=0)


@pytest.mark.parametrize("cell", CELLS)
def test_the_backward_half_is_a_layer_that_reads_from_the_end(cell: Cell) -> None:
    layer = BiRecurrent(cell, 3, 4, bidirectional=True)
    shaken(layer)
    assert layer.back is not None
    x_TBD = torch.randn(5, 1, 3)
    ahead_TBH, _ = layer.ahead(x_TBD)
    back_TBH, _ = layer.back(x_TBD.flip(0))

    torch.testing.assert_close(
        layer(x_TBD, torch.tensor([5])), torch.cat([ahead_TBH, back_TBH.flip(0)], -1)
    )


# --- dropout ------------------------------------------------------------------------------------


def test_one_mask_serves_all_time_steps() -> None:
    dropped_TBD = SharedDropout(0.5).train()(torch.ones(9, 4, 50))

    assert torch.equal(dropped_TBD, dropped_TBD[:1].expand_as(dropped_TBD))


def test_each_sentence_has_a_mask_of_its_own() -> None:
    dropped_TBD = SharedDropout(0.5).train()(torch.ones(1, 2, 200))

    assert not torch.equal(dropped_TBD[0, 0], dropped_TBD[0, 1])


def test_dropout_keeps_the_expectation() -> None:
    mean = SharedDropout(0.3).train()(torch.ones(1, 200, 500)).mean()

    assert 1.0 == pytest.approx(float(mean), abs=0.01)


@pytest.mark.parametrize("layer", [SharedDropout(0.9).eval(), SharedDropout(0.0).train()])
def test_dropout_that_is_off_changes_nothing(layer: SharedDropout) -> None:
    x_TBD = torch.randn(3, 2, 4)

    assert torch.equal(x_TBD, layer(x_TBD))


def test_dropped_words_are_unknown() -> None:
    ids_BT = torch.full((300, 40), 9)
    dropped_BT = drop_words(ids_BT, 0.25, SPECIAL)

    assert {SPECIAL.unk, 9} == set(dropped_BT.flatten().tolist())
    assert 0.25 == pytest.approx(float((dropped_BT == SPECIAL.unk).float().mean()), abs=0.02)
    assert {9} == set(ids_BT.flatten().tolist())


@pytest.mark.parametrize("spared", [SPECIAL.pad, SPECIAL.bos, SPECIAL.eos])
def test_padding_and_the_ends_of_a_sentence_are_no_words_to_drop(spared: int) -> None:
    ids_BT = torch.tensor([[spared, 9] * 50])

    assert {spared} == set(drop_words(ids_BT, 0.9, SPECIAL)[:, ::2].flatten().tolist())


def test_no_word_is_dropped_at_rate_0() -> None:
    ids_BT = torch.randint(0, 9, (4, 5))

    assert torch.equal(ids_BT, drop_words(ids_BT, 0.0, SPECIAL))
