"""The fused loss is torch's own cross-entropy, its gradients included.

Shapes: N target positions, E embedding, V vocabulary.
"""

from typing import NamedTuple

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from training.loss import smoothed_cross_entropy

PAD = 0


class Inputs(NamedTuple):
    readout_NE: Tensor
    weight_VE: Tensor
    bias_V: Tensor

    def scores(self) -> Tensor:
        return self.readout_NE @ self.weight_VE.t() + self.bias_V


def inputs(rows: int, vocabulary: int, seed: int = 0) -> Inputs:
    generator = torch.Generator().manual_seed(seed)
    shapes = [(rows, 5), (vocabulary, 5), (vocabulary,)]
    return Inputs(*(torch.randn(s, generator=generator).requires_grad_() for s in shapes))


def targets(rows: int, vocabulary: int, padded: float, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed + 1)
    target_N = torch.randint(1, vocabulary, (rows,), generator=generator)
    return target_N.masked_fill(torch.rand(rows, generator=generator) < padded, PAD)


def ours(given: Inputs, target_N: Tensor, smoothing: float) -> tuple[Tensor, Tensor]:
    return smoothed_cross_entropy(*given, target_N, smoothing=smoothing, ignore=PAD)


def gradients(loss: Tensor, given: Inputs) -> tuple[Tensor, ...]:
    return torch.autograd.grad(loss, list(given))


@given(
    st.integers(1, 40),
    st.integers(2, 12),
    st.sampled_from([0.0, 0.1, 0.9]),
    st.sampled_from([0.0, 0.4]),
    st.integers(0, 99),
)
def test_loss_and_gradients_are_those_of_torch(
    rows: int, vocabulary: int, smoothing: float, padded: float, seed: int
) -> None:
    x, target_N = inputs(rows, vocabulary, seed), targets(rows, vocabulary, padded, seed)
    target_N[0] = 1  # at least one position counts
    loss, _ = ours(x, target_N, smoothing)
    wanted = F.cross_entropy(x.scores(), target_N, ignore_index=PAD, label_smoothing=smoothing)

    torch.testing.assert_close(loss, wanted)
    for got, right in zip(gradients(loss, x), gradients(wanted, x), strict=True):
        torch.testing.assert_close(got, right, atol=1e-5, rtol=1e-4)


def test_more_rows_than_are_in_flight_make_no_difference() -> None:
    x, target_N = inputs(700, 9), targets(700, 9, padded=0.2)
    loss, _ = ours(x, target_N, 0.1)
    wanted = F.cross_entropy(x.scores(), target_N, ignore_index=PAD, label_smoothing=0.1)

    torch.testing.assert_close(loss, wanted)
    for got, right in zip(gradients(loss, x), gradients(wanted, x), strict=True):
        torch.testing.assert_close(got, right, atol=1e-5, rtol=1e-4)


def test_gradients_scale_with_what_comes_after_the_loss() -> None:
    x, target_N = inputs(6, 5), targets(6, 5, padded=0.0)
    once = gradients(ours(x, target_N, 0.1)[0], x)
    thrice = gradients(3 * ours(x, target_N, 0.1)[0], x)

    for one, three in zip(once, thrice, strict=True):
        torch.testing.assert_close(3 * one, three)


def test_beside_it_comes_the_plain_likelihood_without_a_gradient() -> None:
    x, target_N = inputs(30, 7), targets(30, 7, padded=0.3)
    _, nll = ours(x, target_N, 0.2)

    torch.testing.assert_close(
        nll, F.cross_entropy(x.scores(), target_N, ignore_index=PAD).detach()
    )
    assert not nll.requires_grad


def test_padding_has_no_say() -> None:
    x, target_N = inputs(8, 5), targets(8, 5, padded=0.0)
    target_N[3:] = PAD
    before, _ = ours(x, target_N, 0.1)
    with torch.no_grad():
        x.readout_NE[3:] = 1e3
    after, _ = ours(x, target_N, 0.1)

    assert torch.equal(before, after)
    assert 0 == gradients(after, x)[0][3:].abs().max()


def test_a_batch_of_nothing_but_padding_teaches_nothing() -> None:
    x = inputs(4, 5)
    loss, nll = ours(x, torch.full((4,), PAD), 0.1)

    assert (0.0, 0.0) == (loss.item(), nll.item())
    assert [0.0] * 3 == [gradient.abs().max().item() for gradient in gradients(loss, x)]


def test_certainty_in_the_right_word_costs_nothing_and_in_the_wrong_one_much() -> None:
    bias_V = torch.tensor([0.0, 50.0, 0.0])
    plain = (torch.zeros(1, 5), torch.zeros(3, 5), bias_V)
    right, wrong = (
        float(smoothed_cross_entropy(*plain, torch.tensor([t]), smoothing=0.0, ignore=PAD)[0])
        for t in (1, 2)
    )

    assert [0.0, 50.0] == pytest.approx([right, wrong])


def test_a_target_held_for_impossible_is_finitely_bad_and_its_gradient_exact() -> None:
    x = inputs(2, 3)
    with torch.no_grad():
        x.bias_V[2] = -1e4
    loss, nll = ours(x, torch.tensor([2, 2]), 0.0)
    wanted = F.cross_entropy(x.scores(), torch.tensor([2, 2]))

    assert 87 < nll.item() < 88
    assert 87 < loss.item() < 88
    for got, right in zip(gradients(loss, x), gradients(wanted, x), strict=True):
        torch.testing.assert_close(got, right)


def test_half_precision_is_close_and_its_gradients_keep_their_types() -> None:
    x, target_N = inputs(64, 11), targets(64, 11, padded=0.1)
    with torch.autocast("cpu", torch.bfloat16):
        loss, _ = ours(x, target_N, 0.1)
    wanted = F.cross_entropy(x.scores(), target_N, ignore_index=PAD, label_smoothing=0.1)

    assert wanted.item() == pytest.approx(loss.item(), rel=0.02)
    assert [torch.float32] * 3 == [gradient.dtype for gradient in gradients(loss, x)]
