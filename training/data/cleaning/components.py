"""Which pairs hang together: pairs that share a sentence, pairs that share one with those, ...

E = edges (pairs), N = nodes (sentences of either side).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.data.cleaning.keys import Keys

__all__ = ["components"]


def components(source_E: Keys, target_E: Keys) -> NDArray[np.int64]:
    """The number of the component of each pair, counted from 0 without gaps.

    Sentences are the nodes of a graph, those of the two sides apart; a pair is an edge.
    """
    sources, left_E = np.unique(source_E, return_inverse=True)
    _, right_E = np.unique(target_E, return_inverse=True)
    right_E = right_E + len(sources)
    parent_N = np.arange(int(right_E.max(initial=-1)) + 1)
    while True:
        # Whole arrays at a time (Shiloach and Vishkin 1982): hang every root under the least root
        # that it has an edge to, then let every node point to its root.
        one_E, other_E = parent_N[left_E], parent_N[right_E]
        apart = one_E != other_E
        if not apart.any():
            return np.unique(one_E, return_inverse=True)[1]
        one_E, other_E = one_E[apart], other_E[apart]
        np.minimum.at(parent_N, np.maximum(one_E, other_E), np.minimum(one_E, other_E))
        parent_N = _roots(parent_N)


def _roots(parent_N: NDArray[np.int64]) -> NDArray[np.int64]:
    while True:
        grandparent_N = parent_N[parent_N]
        if np.array_equal(grandparent_N, parent_N):
            return parent_N
        parent_N = grandparent_N
