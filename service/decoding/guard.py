"""What may follow: bans, penalties and forced tokens, applied to the candidates of each row.

Bans depend on what a hypothesis has said, so they are kept per row, in plain Python: who asks for
none of this is in a cohort without guards and pays nothing. Legend: C searches, R rows, K
candidates from the model, D candidates wanted.

The truth of the whole vocabulary is kept although the model shows only its best K: a ban or a
penalty can only push candidates down. So of the best D + m candidates, where m tokens of a row may
be pushed, at least D are untouched, and no token beyond them can come before those.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from service.decoding.request import DecodeRequest, Tokens
from service.decoding.required import Required
from service.decoding.scoring import Doubles
from service.decoding.stepper import Floats, Ints

_Place = tuple[int, int]  # a phrase, and how far into it one is
_NOWHERE: frozenset[_Place] = frozenset()
_NOBODY: frozenset[int] = frozenset()


class Candidates(NamedTuple):
    """What may follow each row, best first, ties by id.

    `gains_RD` is what each adds to the total: the log-probability, made less by penalties, and
    minus infinity for what may not follow.
    """

    log_probs_RD: Floats
    ids_RD: Ints
    gains_RD: Doubles


@dataclass(frozen=True, slots=True)
class Line:
    """What a row has said, and what follows from it. Values are shared, never changed.

    `inside` are places of forbidden phrases that have been begun; `banned` may not follow;
    `pushed` lose by the repetition penalty; `forced`, if any, is all that may follow. `terms` tells
    how much is said of what is required.
    """

    tokens: Tokens
    inside: frozenset[_Place]
    banned: frozenset[int]
    pushed: frozenset[int]
    forced: int | None
    terms: Tokens = ()

    @property
    def touched(self) -> int:
        """How many candidates may lose their rank."""
        return len(self.banned | self.pushed) if self.pushed else len(self.banned)


class Guard:
    """What one request makes of its hypotheses."""

    def __init__(self, request: DecodeRequest) -> None:
        self.penalty = request.repetition_penalty
        self._prefix = request.target_prefix
        self._ngram = request.no_repeat_ngram
        self._phrases = request.forbidden_phrases
        self._begins: dict[int, list[_Place]] = {}
        for number, phrase in enumerate(self._phrases):
            for token, places in phrase.onward.get(0, {}).items():
                self._begins.setdefault(token, []).extend((number, place) for place in places)
        self.required = Required(request)
        self._max_length = request.max_length
        self._never = frozenset(t for phrase in self._phrases for t in phrase.closing.get(0, ()))

    def fresh(self) -> Line:
        """A row that has said nothing."""
        return self._line((), _NOWHERE, self.required.nothing)

    def after(self, line: Line, token: int) -> Line:
        """The row that goes on with `token`."""
        inside = _NOWHERE
        if self._phrases:
            onward = list(self._begins.get(token, ()))
            for number, place in line.inside:
                places = self._phrases[number].onward.get(place, {}).get(token, ())
                onward += [(number, there) for there in places]
            inside = frozenset(onward)
        terms = self.required.after(line.terms, token)
        return self._line((*line.tokens, token), inside, terms)

    def in_time(self, line: Line, terms: Tokens) -> bool:
        """Whether, once a line has come to `terms`, the rest fits into the maximum length."""
        return len(line.tokens) + 1 + self.required.least(terms) <= self._max_length

    def probes(self, line: Line) -> Tokens:
        """The tokens that the model must be asked for, whatever their rank."""
        return self.required.words if line.forced is None else (line.forced,)

    def _line(self, tokens: Tokens, inside: frozenset[_Place], terms: Tokens) -> Line:
        if len(tokens) < len(self._prefix):
            forced = self._prefix[len(tokens)]
            return Line(tokens, inside, _NOBODY, _NOBODY, forced, terms)
        banned = self._never
        if inside:
            banned = banned.union(*(self._phrases[n].closing.get(p, ()) for n, p in inside))
        if self._ngram and len(tokens) >= self._ngram:
            banned = banned.union(_repeating(tokens, self._ngram))
        pushed = frozenset(tokens) if self.penalty != 1.0 else _NOBODY
        return Line(tokens, inside, banned, pushed, None, terms)


class Guards:
    """The guards of a cohort's searches, and the lines of its rows."""

    def __init__(self) -> None:
        self._guards_C: list[Guard] = []
        self._lines_R: list[Line] = []

    def seat(self, requests: Iterable[DecodeRequest], copies: Sequence[int]) -> None:
        """Let searches begin, each with so many fresh rows."""
        for request, rows in zip(requests, copies, strict=True):
            guard = Guard(request)
            self._guards_C.append(guard)
            self._lines_R += [guard.fresh()] * rows

    def keep_searches(self, searches: Iterable[int]) -> None:
        """Keep these searches, in this order."""
        self._guards_C = [self._guards_C[c] for c in searches]

    def keep_rows(self, rows: Iterable[int]) -> None:
        """Keep these rows, in this order."""
        self._lines_R = [self._lines_R[r] for r in rows]

    def go_on(self, searches: Sequence[int], parents: Sequence[int], tokens: Sequence[int]) -> None:
        """Each row continues its parent with its token; searches keep their numbers."""
        self._lines_R = [
            self._guards_C[search].after(self._lines_R[parent], token)
            for search, parent, token in zip(searches, parents, tokens, strict=True)
        ]

    @property
    def margin(self) -> int:
        """How many candidates of a row, at most, may lose their rank at the next step."""
        return max((line.touched for line in self._lines_R), default=0)

    @property
    def words(self) -> int:
        """How many words of required phrases, at most, may stand among a row's candidates."""
        return max((guard.required.length for guard in self._guards_C), default=0)

    def of_search(self, search: int) -> Guard:
        """The guard of a search."""
        return self._guards_C[search]

    def line(self, row: int) -> Line:
        """What a row has said."""
        return self._lines_R[row]

    def probes(self, searches_R: Ints) -> Ints | None:
        """`probe_ids_RP` for the rows (filled up with 0), or `None` when there is none to ask."""
        probes = [
            self._guards_C[search].probes(line)
            for search, line in zip(searches_R.tolist(), self._lines_R, strict=True)
        ]
        most = max(map(len, probes), default=0)
        if most == 0:
            return None
        return np.array([each + (0,) * (most - len(each)) for each in probes], np.int64)

    def amend(
        self, searches_R: Ints, model: tuple[Floats, Ints], probed_R: Floats | None, depth: int
    ) -> Candidates:
        """The best `depth` candidates of each row, given the `model`'s log-probabilities and ids.

        `probed_R` are the log-probabilities of the forced tokens.
        """
        shown = depth + self.margin
        log_probs_RK, ids_RK = model[0][:, :shown], model[1][:, :shown]
        gains_RK = log_probs_RK.astype(np.float64)
        self._push(searches_R.tolist(), gains_RK, ids_RK.tolist())
        order_RD = np.lexsort((ids_RK, -gains_RK), axis=1)[:, :depth]
        amended = Candidates(
            np.take_along_axis(log_probs_RK, order_RD, axis=1),
            np.take_along_axis(ids_RK, order_RD, axis=1),
            np.take_along_axis(gains_RK, order_RD, axis=1),
        )
        if probed_R is not None:
            for row, line in enumerate(self._lines_R):
                if line.forced is not None:
                    amended.ids_RD[row, 0] = line.forced
                    amended.log_probs_RD[row, 0] = amended.gains_RD[row, 0] = probed_R[row]
                    amended.gains_RD[row, 1:] = -np.inf
        return amended

    def _push(self, searches: list[int], gains_RK: Doubles, ids: list[list[int]]) -> None:
        for row, line in enumerate(self._lines_R):
            if line.pushed:
                penalty = self._guards_C[searches[row]].penalty
                for column, token in enumerate(ids[row]):
                    if token in line.pushed:
                        gains_RK[row, column] *= penalty
            if line.banned:
                for column, token in enumerate(ids[row]):
                    if token in line.banned:
                        gains_RK[row, column] = -np.inf


def _repeating(tokens: Tokens, ngram: int) -> set[int]:
    """The tokens that would complete an n-gram that `tokens` already have."""
    if ngram == 1:
        return set(tokens)
    tail = tokens[1 - ngram :]
    return {
        tokens[i + ngram - 1]
        for i in range(len(tokens) - ngram + 1)
        if tokens[i : i + ngram - 1] == tail
    }
