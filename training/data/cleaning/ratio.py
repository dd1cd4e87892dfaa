"""Pairs whose sides are too different in length to be translations.

P = pairs. Lengths are in characters.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["disproportionate", "usual_ratio"]

# Short sentences vary freely ("Ja." is "Yes, I do."): so many characters are given to both sides
# before they are compared, and sentences shorter than that say nothing of the usual ratio.
_GRACE = 15.0


def usual_ratio(source_P: NDArray[np.int32], target_P: NDArray[np.int32]) -> float:
    """How many characters of the target side one of the source side makes, as a median."""
    telling = (source_P >= _GRACE) & (target_P >= _GRACE)
    if not telling.any():
        telling = (source_P > 0) & (target_P > 0)
    return float(np.median(target_P[telling] / source_P[telling])) if telling.any() else 1.0


def disproportionate(
    source_P: NDArray[np.int32], target_P: NDArray[np.int32], limit: float
) -> tuple[NDArray[np.bool_], float]:
    """Which pairs have a side that is ``limit`` times too long, and the usual ratio of the others.

    The usual ratio is taken from what is kept: dropping goes on until the ratio of what is left
    drops nothing more. So the clean corpus, cleaned again, loses nothing.
    """
    kept_P = np.ones(len(source_P), dtype=np.bool_)
    while True:
        usual = usual_ratio(source_P[kept_P], target_P[kept_P])
        expected_P = source_P * usual + _GRACE
        found_P = target_P + _GRACE
        excess_P = np.maximum(found_P / expected_P, expected_P / found_P)
        fair_P = kept_P & (excess_P <= limit)
        if np.array_equal(fair_P, kept_P):
            return ~kept_P, usual
        kept_P = fair_P
