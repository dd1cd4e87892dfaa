"""Phrases that must be said: lexically constrained beam search with dynamic beam allocation.

After Post & Vilar 2018 (https://arxiv.org/abs/1804.06609) and Hu et al. 2019, but for three things.
Candidates are the best of the whole vocabulary for every stage of the way, for the model is asked
for all words of the phrases at every step; no hypothesis is ever let into a place from which it
could not say the rest in time, so that what ends has said everything; and a phrase is begun where
the model looks at what it translates (Hasler et al. 2018, https://arxiv.org/abs/1805.03750). Left
to their probabilities alone, phrases that the model would not say are put off until the end.

Legend: R rows, K candidates per row, P probes, N picked candidates.
"""

from itertools import groupby
from math import log
from typing import NamedTuple

import numpy as np

from service.decoding.beam import Expansion, Front, Picks, Rules
from service.decoding.guard import Guard, Guards, Line
from service.decoding.request import Tokens
from service.decoding.stepper import StepOutput

_NO_WORD = -1  # a token that is in no phrase
_LEAST_ATTENTION = 1e-3  # less of it says no more: a place is only bad, not forbidden

# (total, row, token, log-probability): what may follow a row. Plain tuples, for there are many.
_Candidate = tuple[float, int, int, float]
_Stages = dict[int, list[_Candidate]]


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
    probed = probed_RP[rows].tolist()
    ids, log_probs = output.ids_RK[rows].tolist(), output.log_probs_RK[rows].tolist()
    totals, owners = front.totals_R.tolist(), front.searches_R.tolist()
    attention_RS = None if output.attention_RS is None else output.attention_RS[rows]
    may_stop, last = rules.may_stop_C.tolist(), rules.last_C.tolist()
    survivors: dict[int, list[_Candidate]] = {}
    finished: dict[int, list[_Candidate]] = {}
    for search, owned in groupby(range(len(owners)), key=owners.__getitem__):
        stages: _Stages = {}
        for row in owned:
            guard = guards.of_search(search)
            attention = None
            if attention_RS is not None and guard.required.looking:
                attention = attention_RS[row].tolist()
            place = _Place(guard, guards.line(row), row, totals[row], attention)
            eos_id = rules.eos_id if may_stop[search] else None
            known = dict(zip(place.guard.probes(place.line), probed[row], strict=False))
            _add_known(stages, place, known)
            if place.line.forced is None:
                others = [
                    each
                    for each in zip(ids[row], log_probs[row], strict=True)
                    if each[0] not in known and each[0] != rules.eos_id
                ]
                _add_others(stages, place, others, front.width)
                _add_end(stages, place, eos_id, dict(zip(ids[row], log_probs[row], strict=True)))
        whole = guards.of_search(search).required.length
        alive, over = _dealt(stages, whole, front.width, rules.eos_id)
        if last[search]:
            alive, over = [], over + alive
        survivors[search], finished[search] = alive, over
    return Expansion(_picks(survivors), _picks(finished))


class _Place(NamedTuple):
    """A row, what it minds and has said, its total, and what it looks at, if that matters."""

    guard: Guard
    line: Line
    row: int
    total: float
    attention: list[float] | None

    def candidate(self, token: int, log_prob: float, terms: Tokens | None = None) -> _Candidate:
        """The row with one more token; `terms` is how much it has said then, if that changes."""
        gain = log_prob * self.guard.penalty if token in self.line.pushed else log_prob
        if self.attention is not None and terms is not None:
            for positions in self.guard.required.begun(self.line.terms, terms):
                # As probable as the word is, and as it is that the model looks there.
                looked = sum(self.attention[position] for position in positions)
                gain += log(min(max(looked, _LEAST_ATTENTION), 1.0))
        return self.total + gain, self.row, token, log_prob


def _add_known(stages: _Stages, place: _Place, known: dict[int, float]) -> None:
    """Add the words of the phrases, or the forced token: each leads to a stage of its own."""
    guard, line = place.guard, place.line
    for token, log_prob in known.items():
        terms = guard.required.after(line.terms, token)
        if token in line.banned or not (line.forced is not None or guard.in_time(line, terms)):
            continue
        said = terms if line.forced is None else None
        stages.setdefault(guard.required.stage(terms), []).append(
            place.candidate(token, log_prob, said)
        )


def _add_others(
    stages: _Stages, place: _Place, others: list[tuple[int, float]], width: int
) -> None:
    """Add the best of the words that are in no phrase: to the phrases they are all alike."""
    guard, line = place.guard, place.line
    terms = guard.required.after(line.terms, _NO_WORD)
    if not guard.in_time(line, terms):
        return
    candidates = [place.candidate(*each) for each in others if each[0] not in line.banned]
    if line.pushed:
        candidates.sort(key=_best_first)
    stages.setdefault(guard.required.stage(terms), []).extend(candidates[:width])


def _add_end(
    stages: _Stages, place: _Place, eos_id: int | None, following: dict[int, float]
) -> None:
    """Add eos, where everything is said; further down than the model shows it would be dropped."""
    required = place.guard.required
    stage = required.stage(place.line.terms)
    if eos_id in following and stage == required.length:
        stages.setdefault(stage, []).append(place.candidate(eos_id, following[eos_id]))


def _dealt(
    stages: _Stages, whole: int, width: int, eos_id: int
) -> tuple[list[_Candidate], list[_Candidate]]:
    """Who goes on and who is finished, best first; of equals the earlier row, then the lower id."""
    over: list[_Candidate] = []
    turns: list[tuple[int, int, _Candidate]] = []
    for stage, candidates in stages.items():
        ranked = sorted((each for each in candidates if each[0] > -np.inf), key=_best_first)
        if stage == whole:
            over = [each for each in ranked[:width] if each[2] == eos_id]
            ranked = [each for each in ranked if each[2] != eos_id]
        turns += [(turn, -stage, each) for turn, each in enumerate(ranked[:width])]
    turns.sort(key=lambda each: each[:2])
    return sorted((each for _, _, each in turns[:width]), key=_best_first), over


def _best_first(candidate: _Candidate) -> tuple[float, int, int]:
    total, row, token, _ = candidate
    return -total, row, token


def _picks(chosen: dict[int, list[_Candidate]]) -> Picks:
    everything = [(search, *each) for search, found in chosen.items() for each in found]
    searches, totals, rows, tokens, log_probs = (
        zip(*everything, strict=True) if everything else (((),) * 5)
    )
    return Picks(
        searches_N=np.array(searches, np.int64),
        parents_N=np.array(rows, np.int64),
        tokens_N=np.array(tokens, np.int64),
        log_probs_N=np.array(log_probs, np.float32),
        totals_N=np.array(totals, np.float64),
    )
