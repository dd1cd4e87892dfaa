"""Dealing pairs into parts so that no sentence of either side stands in two.

P = pairs, G = components (groups of pairs that share sentences).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data.cleaning.components import components
from training.data.cleaning.keys import Keys, mix

__all__ = ["PARTS", "Dealt", "deal"]

PARTS = ("train", "dev", "test")
# A component larger than this share of a part would make the part speak of one sentence and its
# variants: such ones are trained on.
_LARGEST_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Dealt:
    """The part of each pair, as its place in PARTS, and what the components were like."""

    part_P: NDArray[np.int8]
    components: int
    largest: int


def deal(source_P: Keys, target_P: Keys, sizes: tuple[int, int], seed: int) -> Dealt:
    """Deal whole components to dev and test, as near to their sizes in pairs as can be.

    The order in which they are drawn depends on their sentences and the seed, not on the order of
    the lines.
    """
    component_P = components(source_P, target_P)
    size_G = np.bincount(component_P)
    # A component is known by the least digest of its sources; mixed once more, since the least of
    # many is small, and large components would be drawn first.
    least_G = np.full(len(size_G), np.iinfo(np.uint64).max, dtype=np.uint64)
    np.minimum.at(least_G, component_P, source_P)
    order_G = np.argsort(mix(least_G, seed), kind="stable")
    part_G = np.zeros(len(size_G), dtype=np.int8)
    for place, wanted in enumerate(sizes, start=1):
        _fill(part_G, place, wanted, order_G, size_G)
    return Dealt(part_G[component_P], len(size_G), int(size_G.max(initial=0)))


def _fill(
    part_G: NDArray[np.int8],
    place: int,
    wanted: int,
    order_G: NDArray[np.int64],
    size_G: NDArray[np.int64],
) -> None:
    """Give components that fit to a part until it has what it wants."""
    largest = max(1, int(wanted * _LARGEST_SHARE))
    open_G = order_G[(part_G[order_G] == 0) & (size_G[order_G] <= largest)]
    left = wanted
    for group, size in zip(open_G.tolist(), size_G[open_G].tolist(), strict=True):
        if not left:
            return
        if size <= left:
            part_G[group] = place
            left -= size
