"""Phrases that must be said: lexically constrained beam search with dynamic beam allocation.

After Post & Vilar 2018 (https://arxiv.org/abs/1804.06609) and Hu et al. 2019, with two differences.
Candidates are the best of the whole vocabulary for every stage of the way, for the model is asked
for all words of the phrases at every step; and no hypothesis is ever let into a place from which it
could not say the rest in time, so that what ends has said everything.

Legend: C searches, R rows, K candidates per row, P probes.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

import numpy as np

from service.decoding.beam import Expansion, Front, Picks, Rules
from service.decoding.guard import Guard, Guards, Line
from service.decoding.stepper import Floats, Ints, StepOutput


class _Candidate(NamedTuple):
    """A token that may follow a row. `stage` is how much of the phrases is said with it."""

    search: int
    row: int
    token: int
    log_prob: float
    total: float
    stage: int


def fulfil(
    front: Front, rules: Rules, guards: Guards, output: StepOutput, rows: slice
) -> Expansion:
    """Advance every search by one token; `rows` are those of the cohort in `output`.

    The beam's places are dealt out in turns: to the best candidate of each stage, those who have
    said most first, then to the second best of each, until the beam is full. Eos finishes a
    hypothesis that has said everything, and ranks within the first `width` of those that have.
    """
    probed_RP = output.probe_log_probs_RP
    assert probed_RP is not None  # there is always something to ask for
    seen = _Seen(output.log_probs_RK[rows], output.ids_RK[rows], probed_RP[rows])
    survivors: list[_Candidate] = []
    finished: list[_Candidate] = []
    owners = front.searches_R.tolist()
    for search, owned in groupby(range(len(owners)), key=owners.__getitem__):
        guard = guards.of_search(search)
        candidates = [
            candidate
            for row in owned
            for candidate in _following(front, rules, guard, (search, row, guards.line(row)), seen)
            if candidate.total > -np.inf
        ]
        alive, over = _dealt(candidates, guard.terms_length, front.width, rules.eos_id)
        if rules.last_C[search]:
            over, alive = sorted(over + alive, key=lambda each: -each.total), []
        survivors += alive
        finished += over
    return Expansion(_picks(survivors), _picks(finished))


class _Seen(NamedTuple):
    log_probs_RK: Floats
    ids_RK: Ints
    probed_RP: Floats


def _following(
    front: Front, rules: Rules, guard: Guard, place: tuple[int, int, Line], seen: _Seen
) -> Iterator[_Candidate]:
    """What may follow a row, best first, ties by id: for each stage, all that could be taken."""
    search, row, line = place
    before = front.totals_R.item(row)

    def candidate(token: int, log_prob: float) -> _Candidate:
        gain = log_prob * guard.penalty if token in line.pushed else log_prob
        stage = 0 if token == rules.eos_id else guard.stage(guard.said(line.terms, token))
        return _Candidate(search, row, token, log_prob, before + gain, stage)

    probes = guard.probes(line)
    found = [
        candidate(token, log_prob)
        for token, log_prob in zip(probes, seen.probed_RP[row].tolist(), strict=False)
        if token not in line.banned and (line.forced is not None or guard.in_time(line, token))
    ]
    if line.forced is None:
        # Words that are in no phrase are all alike to the phrases: what one may, all may.
        others = [
            candidate(token, log_prob)
            for token, log_prob in zip(
                seen.ids_RK[row].tolist(), seen.log_probs_RK[row].tolist(), strict=True
            )
            if token not in probes and token not in line.banned
        ]
        may_end = rules.may_stop_C[search] and guard.stage(line.terms) == guard.terms_length
        found += (
            each._replace(stage=guard.terms_length) if each.token == rules.eos_id else each
            for each in others
            if (may_end if each.token == rules.eos_id else guard.in_time(line, each.token))
        )
    yield from sorted(found, key=lambda each: (-each.total, each.token))


def _dealt(
    candidates: Iterable[_Candidate], whole: int, width: int, eos_id: int
) -> tuple[list[_Candidate], list[_Candidate]]:
    """Who goes on and who is finished, best first; of equals the earlier row, then the lower id."""
    stages: dict[int, list[_Candidate]] = {}
    for each in sorted(candidates, key=lambda each: -each.total):
        stages.setdefault(each.stage, []).append(each)
    over = [each for each in stages.get(whole, [])[:width] if each.token == eos_id]
    turns = [
        (turn, -stage, each)
        for stage, ranked in stages.items()
        for turn, each in enumerate(each for each in ranked if each.token != eos_id)
    ]
    turns.sort(key=lambda each: each[:2])
    alive = [each for _, _, each in turns[:width]]
    return sorted(alive, key=lambda each: (-each.total, each.row, each.token)), over


def _picks(chosen: list[_Candidate]) -> Picks:
    return Picks(
        searches_N=np.array([each.search for each in chosen], np.int64),
        parents_N=np.array([each.row for each in chosen], np.int64),
        tokens_N=np.array([each.token for each in chosen], np.int64),
        log_probs_N=np.array([each.log_prob for each in chosen], np.float32),
        totals_N=np.array([each.total for each in chosen], np.float64),
    )
