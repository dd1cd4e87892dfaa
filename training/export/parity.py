"""Do the exported graphs compute what the trained model computes?

First the numbers, at several batch shapes with padding; then whole decodes, greedy and beam, token
by token, by the serving engine on both. In float32 the two may differ by rounding only. Where a
decode differs, the two hypotheses must be so close in score that rounding decides between them.

Shapes: B sentences, S source positions.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from service.bundle import SpecialIds
from service.decoding import DecodeRequest, DecodeResult, Engine, StepInput, StepOutput, Stepper
from service.decoding.stepper import Floats
from training.export.runner import Candidate
from training.export.stepper import torch_stepper
from training.models import Ensemble, Seq2Seq

__all__ = ["ParityError", "ParityReport", "check_parity"]

_SHAPES = ((1, 1), (1, 7), (3, 5), (8, 13), (17, 24))
_VALUE_TOLERANCE = 1e-3  # of a log-probability or an attention weight, float32 sums in two orders
_TIE_TOLERANCE = 1e-3  # of a score, between hypotheses that rounding may swap
_STEPS = 3


class ParityError(RuntimeError):
    """The exported graphs do not compute what the model computes."""


@dataclass(frozen=True, kw_only=True)
class ParityReport:
    """What was compared, and how far apart it was."""

    shapes: tuple[tuple[int, int], ...]
    largest_difference: float  # of any log-probability or attention weight
    greedy_decodes: int
    greedy_identical: int
    beam_decodes: int
    beam_identical: int
    ties: int  # decodes that differ between hypotheses of equal score

    def lines(self) -> list[str]:
        """The report for people."""
        return [
            f"values: largest difference {self.largest_difference:.2e} over shapes "
            + ", ".join(f"{b}x{s}" for b, s in self.shapes),
            f"greedy decodes: {self.greedy_identical} of {self.greedy_decodes} identical",
            f"beam decodes: {self.beam_identical} of {self.beam_decodes} identical",
            f"ties broken otherwise: {self.ties}",
        ]

    def plain(self) -> dict[str, object]:
        """The report for scripts."""
        return asdict(self)


def check_parity(
    candidate: Candidate, model: Seq2Seq | Ensemble, requests: Sequence[DecodeRequest]
) -> ParityReport:
    """Compare a float32 export with its model, on random shapes and on ``requests`` (greedy and
    beam).

    Raises:
        ParityError: a value or a decode differs by more than rounding.
    """
    special = candidate.manifest.special_ids
    exported, original = candidate.stepper(), torch_stepper(model, special)
    vocabulary = candidate.manifest.tokenizer.vocabulary_size
    largest = max(
        _value_difference(exported, original, sources, special)
        for sources in _random_sources(
            vocabulary, special, candidate.manifest.limits.max_source_tokens
        )
    )
    if not largest <= _VALUE_TOLERANCE:
        raise ParityError(
            f"a step differs by {largest:.2e} between the exported graphs and the model; "
            f"at most {_VALUE_TOLERANCE:.0e} is rounding"
        )
    identical = {1: 0, 2: 0}
    ties = 0
    results = zip(Engine(exported).decode(requests), Engine(original).decode(requests), strict=True)
    for request, (ours, theirs) in zip(requests, results, strict=True):
        if _tokens(ours) == _tokens(theirs):
            identical[min(request.beam, 2)] += 1
        elif _is_tie(ours, theirs):
            ties += 1
        else:
            raise ParityError(
                f"source {list(request.source)} at beam {request.beam} decodes to {_tokens(ours)} "
                f"(score {ours.best.score:.5f}), the model to {_tokens(theirs)} "
                f"(score {theirs.best.score:.5f})"
            )
    greedy = sum(request.beam == 1 for request in requests)
    return ParityReport(
        shapes=_SHAPES,
        largest_difference=largest,
        greedy_decodes=greedy,
        greedy_identical=identical[1],
        beam_decodes=len(requests) - greedy,
        beam_identical=identical[2],
        ties=ties,
    )


def _random_sources(
    vocabulary: int, special: SpecialIds, longest: int
) -> Iterator[list[tuple[int, ...]]]:
    """For each shape sources of mixed lengths, the longest of S positions, each ending in eos."""
    rng = np.random.default_rng(0)
    first = max(special.pad, special.unk, special.bos, special.eos) + 1
    for rows, wanted in _SHAPES:
        positions = min(wanted, longest)
        lengths = [positions, *rng.integers(1, positions + 1, size=rows - 1).tolist()]
        yield [
            (*rng.integers(first, vocabulary, size=length - 1).tolist(), special.eos)
            for length in lengths
        ]


def _value_difference(
    ours: Stepper, theirs: Stepper, sources: Sequence[tuple[int, ...]], special: SpecialIds
) -> float:
    """The largest difference over a few steps, all rows fed the model's own best tokens."""
    for stepper in (ours, theirs):
        stepper.reset()
        stepper.join(sources)
    rows = np.arange(len(sources))
    tokens_R = np.full(len(sources), special.bos)
    largest = 0.0
    for _ in range(_STEPS):
        work = StepInput(tokens_R=tokens_R, sources_R=rows, parents_R=None, kept_B=None, top_k=8)
        mine, wanted = ours.step(work), theirs.step(work)
        largest = max(largest, _difference(mine, wanted))
        tokens_R = wanted.ids_RK[:, 0].copy()
    for stepper in (ours, theirs):
        stepper.reset()
    return largest


def _difference(ours: StepOutput, theirs: StepOutput) -> float:
    """Sorted log-probabilities are compared place by place: two equal ones may stand in either
    order.
    """
    largest = _furthest(ours.log_probs_RK, theirs.log_probs_RK)
    if ours.attention_RS is None or theirs.attention_RS is None:
        return largest if ours.attention_RS is theirs.attention_RS else math.inf
    positions = theirs.attention_RS.shape[1]
    return max(largest, _furthest(ours.attention_RS[:, :positions], theirs.attention_RS))


def _furthest(ours: Floats, theirs: Floats) -> float:
    """The largest difference; a nan, which ``max`` would pass over, is infinitely far."""
    return float(np.nan_to_num(np.abs(ours - theirs), nan=np.inf).max())


def _tokens(result: DecodeResult) -> list[tuple[int, ...]]:
    return [hypothesis.tokens for hypothesis in result.hypotheses]


def _is_tie(ours: DecodeResult, theirs: DecodeResult) -> bool:
    return abs(ours.best.score - theirs.best.score) <= _TIE_TOLERANCE
