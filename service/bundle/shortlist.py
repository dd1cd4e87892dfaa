"""The vocabulary shortlist: which target tokens each source token makes likely.

Most of a decoding step's time goes into scoring thousands of tokens of which a few hundred could
follow. With a shortlist a source's rows are scored over the tokens that are always in it and those
that its own tokens bring (Schwenk et al. 2007; L'Hostis et al. 2016), and nothing else exists for
them.

The file is little-endian uint32: a mark, the vocabulary's size V, the number A of tokens that are
always in it, their ids ascending, V + 1 offsets, and behind them the ids that source token v brings
between offsets v and v + 1, ascending.

Legend: V vocabulary, A tokens that are always in, J sources.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from service.bundle.errors import BundleError
from service.bundle.names import SHORTLIST_FILE

__all__ = ["Shortlist", "dump_shortlist", "parse_shortlist"]

Ids = NDArray[np.int64]

_MARK = 0x3153_4C50  # "PLS1"
_HEADER = 3


@dataclass(frozen=True)
class Shortlist:
    """Ids of V tokens: `always_A`, and by source token slices of `ids` between `offsets`."""

    always_A: Ids
    offsets: Ids  # [V + 1]
    ids: Ids

    @property
    def vocabulary_size(self) -> int:
        return len(self.offsets) - 1

    def chosen(self, sources: Sequence[Sequence[int]]) -> NDArray[np.bool_]:
        """Which tokens rows of each of `sources` are scored over, [J, V]."""
        chosen_JV = np.repeat(self._always_row, len(sources), axis=0)
        lengths_J = [len(source) for source in sources]
        tokens = np.fromiter(chain.from_iterable(sources), np.int64, sum(lengths_J))
        starts = self.offsets[tokens]
        counts = self.offsets[tokens + 1] - starts
        before = np.cumsum(counts) - counts
        brought = self.ids[np.repeat(starts - before, counts) + np.arange(counts.sum())]
        # In one dimension: places cost less there than pairs of row and id.
        rows = np.repeat(np.arange(len(sources)) * self.vocabulary_size, lengths_J)
        chosen_JV.reshape(-1)[np.repeat(rows, counts) + brought] = True
        return chosen_JV

    @cached_property
    def _always_row(self) -> NDArray[np.bool_]:
        row_1V = np.zeros((1, self.vocabulary_size), np.bool_)
        row_1V[0, self.always_A] = True
        return row_1V


def dump_shortlist(shortlist: Shortlist) -> bytes:
    """The file's bytes."""
    header = [_MARK, shortlist.vocabulary_size, len(shortlist.always_A)]
    parts = [np.array(header), shortlist.always_A, shortlist.offsets, shortlist.ids]
    return np.concatenate(parts).astype("<u4").tobytes()


def parse_shortlist(data: bytes, vocabulary_size: int, needed: Sequence[int] = ()) -> Shortlist:
    """Read the file; `needed` are ids that must always be in.

    Raises:
        BundleError: with what is wrong with it.
    """

    def refuse(problem: str) -> BundleError:
        return BundleError(SHORTLIST_FILE, [problem])

    if len(data) % 4 or len(data) < 4 * _HEADER:
        raise refuse(f"{len(data)} bytes are no whole number of entries behind a header")
    words = np.frombuffer(data, "<u4").astype(np.int64)
    mark, size, always = words[:_HEADER].tolist()
    if mark != _MARK:
        raise refuse(f"begins with {mark:#x}, not with {_MARK:#x}")
    if size != vocabulary_size:
        raise refuse(f"is for a vocabulary of {size}, the bundle's has {vocabulary_size}")
    first, second = _HEADER + always, _HEADER + always + size + 1
    if len(words) < second:
        raise refuse(f"is cut short: {len(words)} entries, at least {second} are needed")
    always_A, offsets, ids = words[_HEADER:first], words[first:second], words[second:]
    if offsets[0] != 0 or offsets[-1] != len(ids) or (np.diff(offsets) < 0).any():
        raise refuse(f"its offsets do not ascend from 0 to {len(ids)}")
    if max(always_A.max(initial=0), ids.max(initial=0)) >= size:
        raise refuse(f"has an id outside the vocabulary of {size}")
    missing = sorted(set(needed) - set(always_A.tolist()))
    if missing:
        raise refuse(f"must always have the ids {missing}")
    return Shortlist(always_A, offsets, ids)
