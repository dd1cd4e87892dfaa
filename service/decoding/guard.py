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
from itertools import permutations
from typing import NamedTuple

import numpy as np

from service.decoding.request import DecodeRequest, Tokens
from service.decoding.scoring import Doubles
from service.decoding.stepper import Floats, Ints

_Place = tuple[int, int]  # a phrase, and how far into it one is
_NOWHERE: frozenset[_Place] = frozenset()
_NOBODY: frozenset[int] = frozenset()
_MOST_ORDERED = 4  # phrases that are tried in every order; more are counted one after the other


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
    of each required phrase how much of it stands at the end, or all of it anywhere.
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
        self._required = _outermost(dict.fromkeys(request.required_phrases))
        sources = dict(zip(request.required_phrases, request.required_sources, strict=False))
        self._sources = tuple(sources.get(phrase, ()) for phrase in self._required)
        self.looking = any(self._sources)
        self._words = tuple(dict.fromkeys(t for phrase in self._required for t in phrase))
        self._max_length = request.max_length
        self._next: dict[tuple[Tokens, int], Tokens] = {}
        self._rest: dict[Tokens, int] = {}
        self._leasts: dict[Tokens, int] = {}
        self.terms_length = sum(map(len, self._required))
        self._never = frozenset(t for phrase in self._phrases for t in phrase.closing.get(0, ()))

    def fresh(self) -> Line:
        """A row that has said nothing."""
        return self._line((), _NOWHERE, (0,) * len(self._required))

    def after(self, line: Line, token: int) -> Line:
        """The row that goes on with `token`."""
        inside = _NOWHERE
        if self._phrases:
            onward = list(self._begins.get(token, ()))
            for number, place in line.inside:
                places = self._phrases[number].onward.get(place, {}).get(token, ())
                onward += [(number, there) for there in places]
            inside = frozenset(onward)
        return self._line((*line.tokens, token), inside, self.said(line.terms, token))

    def said(self, terms: Tokens, token: int) -> Tokens:
        """How much of each required phrase is said after one more token."""
        if not terms:
            return terms
        found = self._next.get((terms, token))
        if found is None:
            found = self._next[terms, token] = tuple(
                there if there == len(phrase) else _reached(phrase, there, token)
                for phrase, there in zip(self._required, terms, strict=True)
            )
        return found

    def stage(self, terms: Tokens) -> int:
        """How much is said in all: whole phrases, and the most of one that has been begun."""
        return self.terms_length - self._missing(terms)

    def begun(self, before: Tokens, after: Tokens) -> list[tuple[int, ...]]:
        """Where the phrases that a token has just begun stand in the source, if that is known."""
        return [
            positions
            for phrase, positions, was, now in zip(
                self._required, self._sources, before, after, strict=True
            )
            if positions and now == 1 and was != len(phrase)
        ]

    def in_time(self, line: Line, terms: Tokens) -> bool:
        """Whether, once a line has come to `terms`, the rest fits into the maximum length."""
        return len(line.tokens) + 1 + self._least(terms) <= self._max_length

    def probes(self, line: Line) -> Tokens:
        """The tokens that the model must be asked for, whatever their rank."""
        return self._words if line.forced is None else (line.forced,)

    def _missing(self, terms: Tokens) -> int:
        """The tokens it takes to say the rest: the phrase that has been begun, then the others."""
        missing = self._rest.get(terms)
        if missing is None:
            open_terms = [
                (len(phrase), there)
                for phrase, there in zip(self._required, terms, strict=True)
                if there < len(phrase)
            ]
            missing = sum(length for length, _ in open_terms)
            missing -= max((there for _, there in open_terms), default=0)
            self._rest[terms] = missing
        return missing

    def _least(self, terms: Tokens) -> int:
        """The fewest tokens that say the rest: phrases may overlap."""
        least = self._leasts.get(terms)
        if least is None:
            open_terms = [
                (phrase, there)
                for phrase, there in zip(self._required, terms, strict=True)
                if there < len(phrase)
            ]
            least = self._missing(terms)
            if 1 < len(open_terms) <= _MOST_ORDERED:
                least = min(map(_tokens_in_order, permutations(open_terms)))
            self._leasts[terms] = least
        return least

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
        return max((guard.terms_length for guard in self._guards_C), default=0)

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


def _outermost(phrases: Iterable[Tokens]) -> tuple[Tokens, ...]:
    """Those that are in no other: who says the longer one has said the shorter."""
    phrases = list(phrases)
    return tuple(
        phrase
        for phrase in phrases
        if not any(phrase != other and _is_in(phrase, other) for other in phrases)
    )


def _is_in(part: Tokens, whole: Tokens) -> bool:
    return any(whole[i : i + len(part)] == part for i in range(len(whole) - len(part) + 1))


def _tokens_in_order(open_terms: Sequence[tuple[Tokens, int]]) -> int:
    """The tokens that it takes to say phrases in this order, of which the first has been begun."""
    (before, there), *others = open_terms
    tokens = len(before) - there
    for phrase, _ in others:
        tokens += len(phrase) - next(
            n for n in range(len(phrase) - 1, -1, -1) if before[len(before) - n :] == phrase[:n]
        )
        before = phrase
    return tokens


def _reached(phrase: Tokens, there: int, token: int) -> int:
    """The longest beginning of `phrase` that ends with `token`, after one of length `there`."""
    said = (*phrase[:there], token)
    return next(n for n in range(len(said), -1, -1) if said[len(said) - n :] == phrase[:n])


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
