"""The rules that look at one pair alone, each for all pairs of a chunk at once.

R = rows (pairs) of a chunk, C = characters of one side.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from training.data.cleaning.characters import Kind, codes_of, profile, rows_of
from training.data.cleaning.keys import normal_forms
from training.data.cleaning.mending import GARBLED, SUSPECT

__all__ = ["PAIR_CHECKS", "SIDE_CHECKS", "Side"]

_TAG = re.compile(r"</?[A-Za-z][^<>\n]*>|<!--")
_NUMBER = re.compile(r"\d+")
# A sentence may be short and mostly a time or a price: so many letters are given to each.
_LETTERS_GIVEN = 3
_SPACE, _NEWLINE = ord(" "), ord("\n")


class Side:
    """One side of all pairs, and what is counted of it."""

    def __init__(self, sentences: list[str], kinds: NDArray[np.uint8]) -> None:
        self.sentences = sentences
        self.block = "\n".join([*sentences, ""])
        self.codes_C = codes_of(sentences)
        self.rows_C = rows_of(self.codes_C)
        self.profile = profile(kinds[self.codes_C], self.rows_C, len(sentences))

    def suspect(self) -> NDArray[np.bool_]:
        """The rows that are to be looked at by ``mend``; it would leave all others as they are."""
        before_C = np.concatenate((np.array([_NEWLINE], dtype=np.uint32), self.codes_C[:-1]))
        spaces_C = (before_C == _SPACE).astype(np.int8) + (self.codes_C == _SPACE)
        ends_C = (before_C == _NEWLINE).astype(np.int8) + (self.codes_C == _NEWLINE)
        # A space beside another one, or beside an end of the line.
        loose = np.flatnonzero((spaces_C >= 1) & (spaces_C + ends_C == 2))
        suspect_R = (self.profile[Kind.ODD] > 0) | self.rows_at(loose) | self.rows_with(SUSPECT)
        if not unicodedata.is_normalized("NFC", self.block):
            normal = [unicodedata.is_normalized("NFC", each) for each in self.sentences]
            suspect_R |= ~np.array(normal, dtype=np.bool_)
        return suspect_R

    def rows_with(self, pattern: re.Pattern[str]) -> NDArray[np.bool_]:
        """The rows in which a pattern is found that never spans two."""
        return self.rows_at([match.start() for match in pattern.finditer(self.block)])

    def rows_at(self, places: Sequence[int] | NDArray[np.int64]) -> NDArray[np.bool_]:
        """The rows of these places of the block."""
        found_R = np.zeros(len(self.sentences), dtype=np.bool_)
        found_R[self.rows_C[np.asarray(places, dtype=np.int64)]] = True
        return found_R


def _garbled(side: Side, _limit: float) -> NDArray[np.bool_]:
    # What is odd after mending stands for a letter that is lost.
    return (side.profile[Kind.ODD] > 0) | side.rows_with(GARBLED)


def _markup(side: Side, _limit: float) -> NDArray[np.bool_]:
    return side.rows_with(_TAG)


def _characters(side: Side, limit: float) -> NDArray[np.bool_]:
    return side.profile.characters > limit


def _words(side: Side, limit: float) -> NDArray[np.bool_]:
    return side.profile.words > limit


def _letters(side: Side, limit: float) -> NDArray[np.bool_]:
    counts = side.profile
    letters_R = counts.letters + counts[Kind.MARK]
    solid_R = counts.characters - counts[Kind.SPACE]
    return letters_R + _LETTERS_GIVEN < limit * (solid_R + _LETTERS_GIVEN)


def _script(side: Side, limit: float) -> NDArray[np.bool_]:
    return side.profile[Kind.FOREIGN] > limit * side.profile.letters


def _character_run(side: Side, limit: float) -> NDArray[np.bool_]:
    begins = np.flatnonzero(np.diff(side.codes_C, prepend=np.uint32(0)))
    lengths = np.diff(begins, append=len(side.codes_C))
    return side.rows_at(begins[(lengths >= limit) & (side.codes_C[begins] != _NEWLINE)])


def _word_run(side: Side, limit: float) -> NDArray[np.bool_]:
    return side.rows_with(_run_of_words(int(limit)))


@cache
def _run_of_words(times: int) -> re.Pattern[str]:
    return re.compile(rf"\b(\w++)(?:[^\w\n]+\1\b){{{times - 1}}}", re.IGNORECASE)


def _copy(source: Side, target: Side) -> NDArray[np.bool_]:
    pairs = zip(normal_forms(source.sentences), normal_forms(target.sentences), strict=True)
    return np.array([one == other for one, other in pairs], dtype=np.bool_)


def _numbers(source: Side, target: Side) -> NDArray[np.bool_]:
    differ_R = np.zeros(len(source.sentences), dtype=np.bool_)
    digits_R = source.profile[Kind.DIGIT] + target.profile[Kind.DIGIT]
    for row in np.flatnonzero(digits_R).tolist():
        one, other = (
            Counter(map(int, _NUMBER.findall(side.sentences[row]))) for side in (source, target)
        )
        differ_R[row] = one != other
    return differ_R


# Which rows have a side that breaks the rule, in the order of the table of rules.
SIDE_CHECKS: dict[str, Callable[[Side, float], NDArray[np.bool_]]] = {
    "garbled": _garbled,
    "markup": _markup,
    "characters": _characters,
    "words": _words,
    "letters": _letters,
    "script": _script,
    "character-run": _character_run,
    "word-run": _word_run,
}
# The same for rules that compare the sides.
PAIR_CHECKS: dict[str, Callable[[Side, Side], NDArray[np.bool_]]] = {
    "copy": _copy,
    "numbers": _numbers,
}
