"""Scores by hand."""

import dataclasses
import math

import numpy as np
import pytest

from service.decoding import DecodeRequest, LengthNormalisation
from service.decoding.scoring import final_score, length_divisor, loosest_divisor, most_reward


def request(
    normalisation: LengthNormalisation = "none", penalty: float = 1.0, coverage: float = 0.0
) -> DecodeRequest:
    return DecodeRequest(
        source=(5, 6, 2),
        max_length=13,
        length_normalisation=normalisation,
        length_penalty=penalty,
        coverage_penalty=coverage,
    )


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (request("none"), -6.0),
        (request("average"), -6.0 / 7),
        (request("gnmt", 1.0), -6.0 / 2.0),
        (request("gnmt", 0.5), -6.0 / math.sqrt(2.0)),
        (request("gnmt", 0.0), -6.0),
    ],
)
def test_the_sum_is_divided_as_asked(asked: DecodeRequest, expected: float) -> None:
    assert expected == pytest.approx(final_score(asked, -6.0, 7))


def test_positions_attended_to_less_than_once_cost_their_log_coverage() -> None:
    coverage = np.array([0.5, 1.0, 2.5])

    assert -6.0 + 0.2 * math.log(0.5) == pytest.approx(
        final_score(request(coverage=0.2), -6.0, 7, coverage)
    )


def test_a_position_never_attended_to_costs_much_but_not_everything() -> None:
    assert math.isfinite(final_score(request(coverage=1.0), -6.0, 7, np.zeros(3)))


@pytest.mark.parametrize("asked", [request("none"), request("average"), request("gnmt", 2.0)])
def test_no_length_divides_by_more_than_the_bound_does(asked: DecodeRequest) -> None:
    divisors = [length_divisor(asked, length) for length in range(1, asked.max_length + 1)]

    assert sorted(divisors) == divisors
    assert loosest_divisor(asked) == divisors[-1]


def test_a_reward_is_added_for_every_symbol() -> None:
    asked = dataclasses.replace(request("average"), token_reward=0.5)

    assert -6.0 / 7 + 3.5 == pytest.approx(final_score(asked, -6.0, 7))


@pytest.mark.parametrize(("reward", "expected"), [(0.5, 6.5), (-0.5, -4.0), (0.0, 0.0)])
def test_the_most_reward_is_that_of_the_longest_text_or_if_it_is_a_fine_of_the_shortest(
    reward: float, expected: float
) -> None:
    """Seven symbols so far, thirteen at most: eight is the least that it can become."""
    most = most_reward(np.array([reward]), np.array([7]), np.array([13]))

    assert [expected] == most.tolist()
