"""Strings of Reber's grammar and strings that break it once, to be told apart: many symbols in, one
out.

The grammar (Reber 1967) on which simple recurrent networks were first understood (Cleeremans,
Servan-Schreiber & McClelland 1989): to judge the next symbol, the network must know in which of the
grammar's states the symbols so far have led.
"""

from __future__ import annotations

import random
import zlib

__all__ = ["NO", "YES", "is_grammatical", "reber_pairs"]

YES, NO = "+", "-"
_SYMBOLS = "BTPSXVE"
_END = 7
# state -> symbol -> next state; two ways on from each in the middle.
_GRAMMAR: dict[int, dict[str, int]] = {
    0: {"B": 1},
    1: {"T": 2, "P": 3},
    2: {"S": 2, "X": 4},
    3: {"T": 3, "V": 5},
    4: {"X": 3, "S": 6},
    5: {"P": 4, "V": 6},
    6: {"E": _END},
}
_LONGEST = 24


def is_grammatical(text: str) -> bool:
    """Whether the grammar leads from its beginning to its end along ``text``."""
    state = 0
    for symbol in text:
        following = _GRAMMAR.get(state, {}).get(symbol)
        if following is None:
            return False
        state = following
    return state == _END


def reber_pairs(
    train: int, dev: int, seed: int
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Pairs (string, + or -), half of them grammatical; no string stands in both parts."""
    rng = random.Random(seed)
    return (
        [_pair(rng, held_out=False) for _ in range(train)],
        [_pair(rng, held_out=True) for _ in range(dev)],
    )


def _pair(rng: random.Random, *, held_out: bool) -> tuple[str, str]:
    good = rng.random() < 0.5
    while True:
        text = _walk(rng) if good else _spoilt(rng, _walk(rng))
        if is_grammatical(text) == good and _is_held_out(text) == held_out:
            return text, YES if good else NO


def _walk(rng: random.Random) -> str:
    text, state = "", 0
    while state != _END:
        if len(text) == _LONGEST:
            return _walk(rng)
        symbol = rng.choice(list(_GRAMMAR[state]))
        text, state = text + symbol, _GRAMMAR[state][symbol]
    return text


def _spoilt(rng: random.Random, text: str) -> str:
    """Another symbol at one place; it may still be grammatical."""
    place = rng.randrange(len(text))
    return text[:place] + rng.choice(_SYMBOLS) + text[place + 1 :]


def _is_held_out(text: str) -> bool:
    """One string in five; the string itself decides."""
    return zlib.crc32(text.encode()) % 5 == 0
