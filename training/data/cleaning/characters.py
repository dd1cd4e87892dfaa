"""What kind every character is, looked up for many sentences at once.

C = characters of a block of lines, R = its rows (lines), K = kinds.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.data.cleaning.scripts import SCRIPTS

__all__ = ["KEPT_FORMATS", "Kind", "Profile", "codes_of", "kinds_of", "profile", "rows_of"]


class Kind:
    """The values of a table of kinds. An odd character is one that clean text does not hold."""

    OTHER: Final = 0  # punctuation and symbols
    SPACE: Final = 1
    NEWLINE: Final = 2
    DIGIT: Final = 3
    MARK: Final = 4
    ODD: Final = 5
    LETTER: Final = 6  # of no script in particular, or of a script that the language uses
    FOREIGN: Final = 7  # a letter of another script
    COUNT: Final = 8


# Everything beyond is private use, or invisible.
_LAST_PLANE = 0x40000
# Format characters that text needs: joiners in Persian, Indic languages and emoji; visible signs.
KEPT_FORMATS = frozenset(
    {
        0x200C,
        0x200D,
        *range(0x0600, 0x0606),
        0x06DD,
        0x070F,
        0x0890,
        0x0891,
        0x08E2,
        0x110BD,
        0x110CD,
    }
)


@dataclass(frozen=True, slots=True)
class Profile:
    """How many characters of each kind every row has."""

    counts_RK: NDArray[np.int64]

    @property
    def characters(self) -> NDArray[np.int64]:
        return self.counts_RK.sum(axis=1)

    @property
    def words(self) -> NDArray[np.int64]:
        return self.counts_RK[:, Kind.SPACE] + 1

    @property
    def letters(self) -> NDArray[np.int64]:
        return self.counts_RK[:, Kind.LETTER] + self.counts_RK[:, Kind.FOREIGN]

    def __getitem__(self, kind: int) -> NDArray[np.int64]:
        return self.counts_RK[:, kind]


@cache
def kinds_of(scripts: tuple[str, ...] | None) -> NDArray[np.uint8]:
    """A table from code point to kind, for text in these scripts; with None none is foreign."""
    base, script = _tables()
    if scripts is None:
        return base
    table = base.copy()
    allowed = [0, *(1 + SCRIPTS.index(name) for name in scripts)]
    table[(table == Kind.LETTER) & ~np.isin(script, allowed)] = Kind.FOREIGN
    return table


def codes_of(lines: Sequence[str]) -> NDArray[np.uint32]:
    """The code points of the lines, each ended by a newline."""
    block = "\n".join([*lines, ""]) if lines else ""
    return np.frombuffer(block.encode("utf-32-le"), dtype=np.uint32)


def rows_of(codes_C: NDArray[np.uint32]) -> NDArray[np.int64]:
    """The row that each character stands in; its newline belongs to it."""
    newline_C = codes_C == 10
    return np.cumsum(newline_C) - newline_C


def profile(kinds_C: NDArray[np.uint8], rows_C: NDArray[np.int64], rows: int) -> Profile:
    """Count the kinds of characters of every row, newlines left out."""
    flat = np.bincount(rows_C * Kind.COUNT + kinds_C, minlength=rows * Kind.COUNT)
    counts_RK = flat.reshape(rows, Kind.COUNT)
    counts_RK[:, Kind.NEWLINE] = 0
    return Profile(counts_RK)


@cache
def _tables() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The kind of every code point, and its script (0 for none, else its place in SCRIPTS + 1)."""
    kind = np.full(0x110000, Kind.ODD, dtype=np.uint8)
    script = np.zeros(0x110000, dtype=np.uint8)
    places = {name: place for place, name in enumerate(SCRIPTS, start=1)}
    for code in range(_LAST_PLANE):
        character = chr(code)
        category = unicodedata.category(character)
        kind[code] = _kind(code, category)
        if category[0] == "L":
            words = unicodedata.name(character, "").split(" ", 2)
            wide = words[0] in {"FULLWIDTH", "HALFWIDTH"}  # forms of the letters of a script
            script[code] = places.get(words[wide], 0)
    kind[0xE0100:0xE01F0] = Kind.MARK  # variants of ideographs
    return kind, script


def _kind(code: int, category: str) -> int:
    if code in KEPT_FORMATS:
        return Kind.OTHER
    if code in {0x20, 0x0A}:
        return Kind.SPACE if code == 0x20 else Kind.NEWLINE
    if code == 0xFFFD or category in {"Cc", "Cf", "Cs", "Co", "Zs", "Zl", "Zp"}:
        return Kind.ODD
    return {"L": Kind.LETTER, "M": Kind.MARK, "N": Kind.DIGIT}.get(category[0], Kind.OTHER)
