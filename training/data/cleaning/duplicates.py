"""Which of several equal or nearly equal pairs stays.

P = pairs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.data.cleaning.keys import Keys

__all__ = ["duplicates", "near_duplicates"]


def duplicates(exact_P: Keys) -> NDArray[np.bool_]:
    """Whether the same pair stands at an earlier place."""
    _, first = np.unique(exact_P, return_index=True)
    again_P = np.ones(len(exact_P), dtype=np.bool_)
    again_P[first] = False
    return again_P


def near_duplicates(exact_P: Keys, source_P: Keys, target_P: Keys) -> NDArray[np.bool_]:
    """Whether another writing of the pair is to be preferred.

    Of pairs that differ in case, punctuation or white space alone the most frequent writing stays.
    Ties are decided by the digest of the text: by chance, but not by the order of the lines.
    """
    _writings, index_P, count = np.unique(exact_P, return_inverse=True, return_counts=True)
    # Best first within a group of the same normal form.
    order_P = np.lexsort((exact_P, -count[index_P], target_P, source_P))
    source, target = source_P[order_P], target_P[order_P]
    begins = np.ones(len(order_P), dtype=np.bool_)
    begins[1:] = (source[1:] != source[:-1]) | (target[1:] != target[:-1])
    best = exact_P[order_P][begins][np.cumsum(begins) - 1]
    worse_P = np.empty(len(exact_P), dtype=np.bool_)
    worse_P[order_P] = exact_P[order_P] != best
    return worse_P
