"""What the encoder knows of the sources being decoded, held so that coming and going is cheap.

Legend: B sources, M places (some may be empty), S positions (padded).

Compacting the memories whenever a sentence ends would copy megabytes at nearly every step. So a
source keeps its place, those who come take the places of those who went, and everything is copied
only when it must grow or when too little of it is in use.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.decoding.admission import padded
from service.decoding.stepper import Ints

Tensor = NDArray[Any]

_WORTH_KEEPING = 0.75  # compact when less than this part of the positions is in use


class Memories:
    """Tensors [M, S, ...] by name, with a place for each source."""

    def __init__(self, names: Sequence[str], position_multiple: int = 1) -> None:
        self._names = tuple(names)
        self._multiple = position_multiple
        self.clear()

    def clear(self) -> None:
        """Let go of everything."""
        self.tensors: dict[str, Tensor] = {}
        self.lengths_M: Ints = np.empty(0, np.int64)
        self.places_B: Ints = np.empty(0, np.int64)
        self._positions = 0

    def add(
        self, lengths: Sequence[int], memories: Mapping[str, Sequence[Tensor] | Tensor]
    ) -> None:
        """Take in sources: by name and source, a tensor [positions >= length, ...].

        Where there are none yet, one tensor for all of them is kept as it is, and written into.
        """
        if not len(self.places_B) and self._adopt(np.array(lengths), memories):
            return
        taken_M = np.zeros(len(self.lengths_M), np.bool_)
        taken_M[self.places_B] = True
        free = np.flatnonzero(~taken_M)
        if len(free) < len(lengths) or max(lengths) > self._positions:
            self._rebuild(extra=len(lengths), longest=max(lengths), like=memories)
            free = np.arange(len(self.places_B), len(self.lengths_M))
        places = free[: len(lengths)]
        for index, (place, length) in enumerate(zip(places.tolist(), lengths, strict=True)):
            for name in self._names:
                tensor = self.tensors[name]
                tensor[place, :length] = memories[name][index][:length]
                tensor[place, length:] = 0
        self.lengths_M[places] = lengths
        self.places_B = np.append(self.places_B, places)

    def _adopt(self, lengths_M: Ints, memories: Mapping[str, Sequence[Tensor] | Tensor]) -> bool:
        positions = padded(int(lengths_M.max()), self._multiple)
        tensors: dict[str, Tensor] = {}
        for name in self._names:
            tensor = memories[name]
            if not isinstance(tensor, np.ndarray) or tensor.shape[1] != positions:
                return False
            tensors[name] = tensor
        behind_MS = np.arange(positions) >= lengths_M[:, None]
        if behind_MS.any():
            for tensor in tensors.values():
                tensor[behind_MS] = 0
        self.tensors, self.lengths_M, self._positions = tensors, lengths_M, positions
        self.places_B = np.arange(len(lengths_M))
        return True

    def keep(self, kept_B: Ints) -> None:
        """Keep these sources, in this order; the others are gone."""
        self.places_B = self.places_B[kept_B]
        longest = padded(int(self.lengths_M[self.places_B].max()), self._multiple)
        used = len(self.places_B) * longest
        if used < _WORTH_KEEPING * len(self.lengths_M) * self._positions:
            self._rebuild(extra=0, longest=longest, like=self.tensors)

    def slots(self, sources_R: Ints) -> tuple[Ints, Ints]:
        """Where the rows of a step sit: `slots_MG` (row by place and slot) and `slot_of_R` (flat).

        Rows of one source are contiguous.
        """
        places_R = self.places_B[sources_R]
        rows = np.arange(len(sources_R))
        width, slot_R = 1, places_R
        another_R = sources_R[1:] != sources_R[:-1]
        if not another_R.all():
            starts = np.concatenate(([0], np.flatnonzero(another_R) + 1))
            counts = np.diff(np.concatenate((starts, [len(rows)])))
            width = int(counts.max())
            slot_R = places_R * width + rows - np.repeat(starts, counts)
        slots = np.zeros(len(self.lengths_M) * width, np.int64)
        slots[slot_R] = rows
        return slots.reshape(-1, width), slot_R

    def _rebuild(
        self, extra: int, longest: int, like: Mapping[str, Sequence[Tensor] | Tensor]
    ) -> None:
        """Make everything anew, the sources in order and `extra` empty places behind them."""
        kept = len(self.places_B)
        lengths_B = self.lengths_M[self.places_B]
        longest = max(longest, int(lengths_B.max(initial=0)))
        positions = padded(longest, self._multiple)
        common = min(positions, self._positions)
        for name in self._names:
            pattern = like[name][0]
            new = np.zeros((kept + extra, positions, *pattern.shape[1:]), pattern.dtype)
            if kept:
                new[:kept, :common] = self.tensors[name][self.places_B, :common]
            self.tensors[name] = new
        # An empty place is a source of one position: attention over none would be no number.
        self.lengths_M = np.append(lengths_B, np.ones(extra, np.int64))
        self.places_B = np.arange(kept)
        self._positions = positions
