"""Corpora that need no data: strings of letters to be copied or written backwards.

The two tasks of the argument for attention. Both ask for everything that was read; reversal asks
first for what was read last, which a fixed context vector finds easy, copying for what lies
furthest back (Sutskever et al. 2014, section 3.3, turned their sources round for this).
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Mapping

__all__ = ["ANSWERS", "string_pairs"]

_SYMBOLS = "abcdefghij"

ANSWERS: Mapping[str, Callable[[str], str]] = {
    "copy": lambda text: text,
    "reversal": lambda text: text[::-1],
}
"""What each task wants of a string."""


def string_pairs(
    answer: Callable[[str], str], sizes: tuple[int, int], seed: int, lengths: tuple[int, int]
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Pairs (string, ``answer`` of it) for training and development, all lengths equally often.

    No string stands in both parts, whatever the seed: which part it may stand in is decided by the
    string itself.
    """
    rng = random.Random(seed)
    train, dev = (
        [_draw(rng, lengths, held_out=held_out) for _ in range(size)]
        for size, held_out in zip(sizes, (False, True), strict=True)
    )
    return [(text, answer(text)) for text in train], [(text, answer(text)) for text in dev]


def _draw(rng: random.Random, lengths: tuple[int, int], *, held_out: bool) -> str:
    length = rng.randint(*lengths)
    while True:
        text = "".join(rng.choices(_SYMBOLS, k=length))
        if _is_held_out(text) == held_out:
            return text


def _is_held_out(text: str) -> bool:
    """One string in ten, of every length from 2 on."""
    return zlib.crc32(text.encode()) % 10 == 0
