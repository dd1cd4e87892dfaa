"""Which tokens the rows of a step are scored over: those their sources make likely, or all.

One product scores every row over the union of what the sources held may say; each row then looks at
its own candidates alone, in their own order. So a row's numbers do not depend on whose company
it is in, though the union does.

Legend: B sources held, J short ones that join, R rows, X rows that are scored over the whole
vocabulary, Y the other rows, W tokens of the union, C candidates of a row (padded), V vocabulary.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.bundle.graphs import (
    CANDIDATE_COUNTS,
    CANDIDATE_IDS,
    CANDIDATES,
    ROW_ORDER,
    SHORT_ROWS,
    WHOLE_ROWS,
)
from service.bundle.shortlist import Shortlist
from service.decoding.admission import padded
from service.decoding.request import Tokens
from service.decoding.stepper import Ints

# Sums over candidates run in whole registers of this many; behind a row's own there is padding.
_MULTIPLE = 16
_WORTH_KEEPING = 0.75  # make the union anew when less than this part of it is wanted


class Shortlists:
    """The candidates of the sources held, in the order in which they are numbered."""

    def __init__(self, shortlist: Shortlist, pad_id: int) -> None:
        self._shortlist = shortlist
        self._pad_id = pad_id
        self._wanted_V = np.zeros(shortlist.vocabulary_size, np.int64)  # by how many
        self._union_W: Ints = np.empty(0, np.int64)
        self.clear()

    def clear(self) -> None:
        """Let go of everything."""
        self._own_BC = np.zeros((0, _MULTIPLE), np.int64)  # ids, ascending, then padding
        self._counts_B: Ints = np.empty(0, np.int64)  # 0: the whole vocabulary
        self._wanted_V[self._union_W] = 0  # all that anybody wants is in the union
        self._wanted_V[self._pad_id] = 1  # for all the padding
        self._union_W = np.array([self._pad_id])
        self._places_BC = self._own_BC.astype(np.int32)

    def add(self, sources: Sequence[Tokens], unabridged: Sequence[bool]) -> None:
        """Take in sources; those `unabridged` may say anything."""
        if not len(self._counts_B) and len(sources) == 1 and not unabridged[0]:
            self._begin_with(sources[0])
            return
        short = [s for s, whole in zip(sources, unabridged, strict=True) if not whole]
        chosen_JV = self._shortlist.chosen(short)
        # Several times as fast as `nonzero` of both axes.
        flat = np.flatnonzero(chosen_JV)
        vocabulary = chosen_JV.shape[1]
        # In each row as many as lie between its first place and the next row's.
        ends_J = np.searchsorted(flat, np.arange(1, len(short) + 1) * vocabulary)
        counts_J = np.diff(ends_J, prepend=0)
        ids = flat - np.repeat(np.arange(len(short)) * vocabulary, counts_J)
        self._wanted_V += np.bincount(ids, minlength=vocabulary)

        longest = max(int(counts_J.max(initial=0)), int(self._counts_B.max(initial=0)), 1)
        held, held_width = self._own_BC.shape
        own_BC = np.full((held + len(sources), padded(longest, _MULTIPLE)), self._pad_id)
        width = min(held_width, own_BC.shape[1])  # the longest list may have left
        own_BC[:held, :width] = self._own_BC[:, :width]
        counts_B = np.zeros(len(own_BC), np.int64)
        counts_B[:held] = self._counts_B
        places = held + np.flatnonzero(~np.array(unabridged, np.bool_))
        counts_B[places] = counts_J
        joined_JC = np.full((len(short), own_BC.shape[1]), self._pad_id)
        joined_JC[np.arange(joined_JC.shape[1]) < counts_J[:, None]] = ids
        own_BC[places] = joined_JC
        self._own_BC, self._counts_B = own_BC, counts_B
        self._unite()

    def _begin_with(self, source: Tokens) -> None:
        """Take in the only one there is: the union is its own list, and padding."""
        [chosen_V] = self._shortlist.chosen([source])
        own_C = np.flatnonzero(chosen_V)
        count = len(own_C)
        self._counts_B = np.array([count])
        self._own_BC = np.full((1, padded(count, _MULTIPLE)), self._pad_id)
        self._own_BC[0, :count] = own_C
        self._wanted_V[own_C] += 1
        chosen_V[self._pad_id] = True
        self._union_W = np.flatnonzero(chosen_V)
        self._places_BC = np.searchsorted(self._union_W, self._own_BC).astype(np.int32)

    def keep(self, kept_B: Ints) -> None:
        """Keep these sources, in this order; the others are gone."""
        gone_B = np.ones(len(self._counts_B), np.bool_)
        gone_B[kept_B] = False
        for own, count in zip(self._own_BC[gone_B], self._counts_B[gone_B], strict=True):
            self._wanted_V[own[:count]] -= 1
        self._own_BC = self._own_BC[kept_B]
        self._counts_B = self._counts_B[kept_B]
        self._places_BC = self._places_BC[kept_B]
        if np.count_nonzero(self._wanted_V) < _WORTH_KEEPING * len(self._union_W):
            self._unite()

    def feeds(self, sources_R: Ints, top_k: int) -> dict[str, NDArray[Any]]:
        """What the decoder must be told for rows of these sources."""
        counts_R = self._counts_B[sources_R]
        places_BC = self._places_BC
        if top_k > places_BC.shape[1]:
            extra = padded(top_k, _MULTIPLE) - places_BC.shape[1]
            filler = np.searchsorted(self._union_W, self._pad_id)
            places_BC = np.pad(places_BC, ((0, 0), (0, extra)), constant_values=filler)
        whole_X = np.flatnonzero(counts_R == 0)
        if not len(whole_X):
            order_R = short_Y = np.arange(len(sources_R))
        else:
            short_Y = np.flatnonzero(counts_R)
            order_R = np.argsort(np.concatenate([whole_X, short_Y]))
        return {
            WHOLE_ROWS: whole_X,
            SHORT_ROWS: short_Y,
            ROW_ORDER: order_R,
            CANDIDATE_IDS: self._union_W,
            CANDIDATES: places_BC[sources_R[short_Y]],
            CANDIDATE_COUNTS: counts_R[short_Y],
        }

    def _unite(self) -> None:
        union_W = np.flatnonzero(self._wanted_V)
        # The longest list may have left.
        longest = max(int(self._counts_B.max(initial=0)), 1)
        self._own_BC = self._own_BC[:, : padded(longest, _MULTIPLE)]
        place_V = np.zeros(len(self._wanted_V), np.int32)
        place_V[union_W] = np.arange(len(union_W))
        self._union_W = union_W
        self._places_BC = place_V[self._own_BC]
