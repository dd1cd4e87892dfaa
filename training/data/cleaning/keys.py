"""What a sentence is told apart by: 64-bit digests of its text, and of its normal form.

Two of five million different sentences share a digest once in a million corpora.

C = characters, R = rows.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from training.data.cleaning.characters import Kind, codes_of, kinds_of

__all__ = ["Keys", "digests", "mix", "normal_forms"]

Keys = NDArray[np.uint64]

_KEPT = (Kind.DIGIT, Kind.MARK, Kind.LETTER, Kind.NEWLINE)


def normal_forms(sentences: Sequence[str]) -> list[str]:
    """The sentences without case, punctuation, white space and compatibility forms.

    One that has nothing else stays as it is.
    """
    if not sentences:
        return []
    block = unicodedata.normalize("NFKC", "\n".join(sentences).casefold())
    codes_C = codes_of(block.split("\n"))
    kept_C = _kept_characters()[codes_C]
    forms = codes_C[kept_C].tobytes().decode("utf-32-le").split("\n")[:-1]
    return [form or sentence for form, sentence in zip(forms, sentences, strict=True)]


@cache
def _kept_characters() -> NDArray[np.bool_]:
    return np.isin(kinds_of(None), _KEPT)


def digests(texts: Iterable[str]) -> Keys:
    """A digest of every text; the same on every machine and in every process."""
    return np.frombuffer(
        b"".join(blake2b(text.encode(), digest_size=8).digest() for text in texts), dtype="<u8"
    ).astype(np.uint64)


def mix(keys: Keys, seed: int) -> Keys:
    """Keys in another order for every seed (the finaliser of splitmix64, Steele et al. 2014)."""
    with np.errstate(over="ignore"):
        mixed = keys + np.uint64((seed * 0x9E3779B97F4A7C15 + 0x9E3779B97F4A7C15) % 2**64)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
