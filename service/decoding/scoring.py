"""What a hypothesis is worth, and the most that a live one can still become worth.

Length normalisation and coverage penalty are those of Wu et al. 2016, equation 14
(https://arxiv.org/abs/1609.08144). Lengths count eos.
"""

import math

import numpy as np
from numpy.typing import NDArray

from service.decoding.request import DecodeRequest
from service.decoding.stepper import Ints

Doubles = NDArray[np.float64]

# An attention weight can underflow to 0; the penalty for a source position that was never looked at
# is finite all the same, so that two such hypotheses can still be told apart.
_LEAST_COVERAGE = 1e-10


def length_divisor(request: DecodeRequest, length: int) -> float:
    """What the log-probability of `length` symbols is divided by; never less for more of them."""
    match request.length_normalisation:
        case "none":
            return 1.0
        case "average":
            return float(length)
        case "gnmt":
            return math.pow((5.0 + length) / 6.0, request.length_penalty)


def coverage_bonus(request: DecodeRequest, coverage_S: Doubles | None) -> float:
    """`coverage_penalty` times the (never positive) sum of log-coverages; 0 without the penalty.

    `coverage_S` is the attention that each position of the source has had in all, no padding.
    """
    if coverage_S is None or request.coverage_penalty == 0.0:
        return 0.0
    clipped_S = np.clip(coverage_S, _LEAST_COVERAGE, 1.0)
    return request.coverage_penalty * float(np.log(clipped_S).sum())


def final_score(
    request: DecodeRequest,
    log_prob: float,
    length: int,
    coverage_S: Doubles | None = None,
) -> float:
    """The score by which finished hypotheses of one request are ranked; higher is better."""
    score = log_prob / length_divisor(request, length) + coverage_bonus(request, coverage_S)
    return score + request.token_reward * length if request.token_reward else score


def loosest_divisor(request: DecodeRequest) -> float:
    """The divisor of the upper bound of a live hypothesis: `log_prob / loosest_divisor`.

    What is still to come adds at most 0 to the log-probability and at most 0 for coverage, and no
    final length exceeds `max_length`, so no completion can score above the bound (to which
    `most_reward` is to be added).
    """
    return length_divisor(request, request.max_length)


def most_reward(rewards_C: Doubles, lengths_C: Ints, max_lengths_C: Ints) -> Doubles:
    """The most that live hypotheses of these lengths can yet get in rewards, one per search.

    A reward is worth most to the longest completion, a negative one to the shortest: one symbol
    more.
    """
    return np.maximum(rewards_C * (lengths_C + 1), rewards_C * max_lengths_C)
