"""The phrases that a request requires, and how much of them has been said.

How much is said is a tuple: of each phrase how much stands at the end, or all of it anywhere.
"""

from collections.abc import Iterable, Sequence
from itertools import permutations

from service.decoding.request import DecodeRequest, Tokens

_MOST_ORDERED = 4  # phrases that are tried in every order; more are counted one after the other


class Required:
    """What one request wants said; what has been worked out once is remembered."""

    def __init__(self, request: DecodeRequest) -> None:
        self._phrases = _outermost(dict.fromkeys(request.required_phrases))
        sources = dict(zip(request.required_phrases, request.required_sources, strict=False))
        self._sources = tuple(sources.get(phrase, ()) for phrase in self._phrases)
        self._after: dict[tuple[Tokens, int], Tokens] = {}
        self._missing: dict[Tokens, int] = {}
        self._leasts: dict[Tokens, int] = {}
        self.nothing: Tokens = (0,) * len(self._phrases)
        self.length = sum(map(len, self._phrases))
        self.words = tuple(dict.fromkeys(token for phrase in self._phrases for token in phrase))
        self.looking = any(self._sources)  # whether it matters where the model looks

    def after(self, said: Tokens, token: int) -> Tokens:
        """What is said after one more token."""
        if not said:
            return said
        found = self._after.get((said, token))
        if found is None:
            found = self._after[said, token] = tuple(
                there if there == len(phrase) else _reached(phrase, there, token)
                for phrase, there in zip(self._phrases, said, strict=True)
            )
        return found

    def stage(self, said: Tokens) -> int:
        """How much is said in all: whole phrases, and the most of one that has been begun."""
        return self.length - self._rest(said)

    def begun(self, before: Tokens, after: Tokens) -> list[tuple[int, ...]]:
        """Where the phrases that a token has just begun stand in the source, if that is known."""
        return [
            positions
            for phrase, positions, was, now in zip(
                self._phrases, self._sources, before, after, strict=True
            )
            if positions and now == 1 and was != len(phrase)
        ]

    def least(self, said: Tokens) -> int:
        """The fewest tokens that say the rest: phrases may overlap."""
        least = self._leasts.get(said)
        if least is None:
            unsaid = self._unsaid(said)
            least = self._rest(said)
            if 1 < len(unsaid) <= _MOST_ORDERED:
                least = min(map(_tokens_in_order, permutations(unsaid)))
            self._leasts[said] = least
        return least

    def _rest(self, said: Tokens) -> int:
        """The tokens it takes to say the rest: the phrase that has been begun, then the others."""
        rest = self._missing.get(said)
        if rest is None:
            unsaid = self._unsaid(said)
            rest = sum(len(phrase) for phrase, _ in unsaid)
            rest -= max((there for _, there in unsaid), default=0)
            self._missing[said] = rest
        return rest

    def _unsaid(self, said: Tokens) -> list[tuple[Tokens, int]]:
        """The phrases that are not said, and how much of each stands at the end."""
        return [
            (phrase, there)
            for phrase, there in zip(self._phrases, said, strict=True)
            if there < len(phrase)
        ]


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


def _tokens_in_order(unsaid: Sequence[tuple[Tokens, int]]) -> int:
    """The tokens that it takes to say phrases in this order, of which the first has been begun."""
    (before, there), *others = unsaid
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
