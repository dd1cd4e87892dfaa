"""The corpus of the character-level next-symbol model: given H, the rest of HELLO is ELLO.

One word for each letter, so that the first symbol decides all the others; what follows an L then
depends on more than the L.
"""

from __future__ import annotations

import random

__all__ = ["WORDS", "word_pairs"]

WORDS = [
    "ANNOUNCE",
    "BANANA",
    "COFFEE",
    "DIFFERENT",
    "EAGLE",
    "FALLING",
    "GOODNESS",
    "HELLO",
    "ISSUE",
    "JELLY",
    "KETTLE",
    "LETTER",
    "MISSISSIPPI",
    "NEEDLE",
    "OTTER",
    "PEPPER",
    "QUEEN",
    "RABBIT",
    "SUMMER",
    "TOMORROW",
    "UMBRELLA",
    "VALLEY",
    "WILLOW",
    "XENON",
    "YELLOW",
    "ZIPPER",
]


def word_pairs(
    train: int, dev: int, seed: int
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Training pairs (nothing, word): each of its symbols is to be foretold from those before it.
    Development pairs (beginning, rest), at most ``dev`` of them: what the same model makes of a
    beginning that it reads. The words are the same: this is a test of memory.
    """
    rng = random.Random(seed)
    splits = [(word[:i], word[i:]) for word in WORDS for i in range(1, len(word))]
    return (
        [("", rng.choice(WORDS)) for _ in range(train)],
        rng.sample(splits, min(dev, len(splits))),
    )
