"""What is known of every pair that passed the rules for single pairs: digests, lengths, place.

The text itself waits in a file. K = such pairs, in the order of the input.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from training.data.cleaning.duplicates import duplicates, near_duplicates
from training.data.cleaning.keys import Keys
from training.data.cleaning.ratio import disproportionate
from training.data.cleaning.rows import Cleaned
from training.data.cleaning.rules import RULES, Limits

__all__ = ["NAMES", "Judged", "Survivors"]

NAMES = tuple(RULES)


@dataclass(frozen=True, slots=True)
class Judged:
    """The rule that dropped each pair, as its place in NAMES, or -1 for those that are kept."""

    rule_K: NDArray[np.int8]
    usual_ratio: float

    @property
    def kept(self) -> NDArray[np.bool_]:
        return self.rule_K < 0


class Survivors:
    """About 50 bytes a pair."""

    def __init__(self, chunks: Sequence[Cleaned]) -> None:
        self.line_K = _joined([each.line_K for each in chunks], np.int64)
        self.exact_K: Keys = _joined([each.exact_K for each in chunks], np.uint64)
        self.source_K: Keys = _joined([each.source_K for each in chunks], np.uint64)
        self.target_K: Keys = _joined([each.target_K for each in chunks], np.uint64)
        self._source_length_K = _joined([each.source_length_K for each in chunks], np.int32)
        self._target_length_K = _joined([each.target_length_K for each in chunks], np.int32)
        self._files = [each.file for each in chunks]
        self._ends = np.cumsum([len(each.line_K) for each in chunks])

    def __len__(self) -> int:
        return len(self.line_K)

    def place(self, row: int) -> str:
        """File and line of a pair."""
        chunk = int(np.searchsorted(self._ends, row, side="right"))
        return f"{self._files[chunk]}:{self.line_K[row]}"

    def judge(self, limits: Limits, held_out: Keys) -> Judged:
        """Apply the rules that compare pairs with each other.

        The order matters: what is dropped for its length is compared with what is left of
        duplicates, so that a sentence repeated a million times does not decide what is usual.
        """
        rule_K = np.full(len(self), -1, dtype=np.int8)

        def drop(name: str, rows: NDArray[np.int64]) -> None:
            rule_K[rows] = NAMES.index(name)

        if "held-out" in limits:
            known = np.isin(self.source_K, held_out) | np.isin(self.target_K, held_out)
            drop("held-out", np.flatnonzero(known))
        kept = np.flatnonzero(rule_K < 0)
        worse = near_duplicates(self.exact_K[kept], self.source_K[kept], self.target_K[kept])
        again = duplicates(self.exact_K[kept])
        if "duplicate" in limits:
            drop("duplicate", kept[again])
        if "near-duplicate" in limits:
            drop("near-duplicate", kept[worse & ~again])
        kept = np.flatnonzero(rule_K < 0)
        limit = limits.get("length-ratio", np.inf)
        unfair, usual = disproportionate(
            self._source_length_K[kept], self._target_length_K[kept], limit
        )
        drop("length-ratio", kept[unfair])
        return Judged(rule_K, usual)


def _joined(parts: list[NDArray[Any]], dtype: DTypeLike) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.empty(0, dtype=dtype)
