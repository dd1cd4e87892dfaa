"""States that grow by one entry a step, held so that rows may come, go and branch at little cost.

Legend: R rows of a step, P places (the first R are in use), T entries that there is room for.

Rows that join, leave or change their order would have every cache copied at nearly every step. So a
row keeps its place while it goes on, whatever its number; who comes or branches off takes a place
that fell free; and only branches, and rows from the far end that close a gap, are copied: as many
entries as they have. The model is run in the order of the places.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from service.bundle.graphs import StateSpec, TensorSpec
from service.decoding.admission import padded
from service.decoding.stepper import Ints

Tensor = NDArray[Any]

ENTRY_MULTIPLE = 16
_SPARE_PLACES = 8
_WORTH_KEEPING = 0.5  # make smaller when less than this part of the room is in use


@dataclass(frozen=True, kw_only=True, slots=True)
class CacheShape:
    """What one place of a cache looks like: `shape` is that behind the places, `axis` grows."""

    dtype: DTypeLike
    shape: tuple[int, ...]  # with anything at the axis that grows
    axis: int  # counted with the places

    def empty(self, places: int, entries: int) -> Tensor:
        """Room for so much; no row reads beyond its own entries, so nothing need be there."""
        sizes = [places, *self.shape]
        sizes[self.axis] = entries
        return np.empty(sizes, self.dtype)


class Caches:
    """Tensors [P, ..., T, ...] by name, of which row r of the last step had place `places_R[r]`."""

    def __init__(self, shapes: Mapping[str, CacheShape]) -> None:
        self._shapes = dict(shapes)
        self.clear()

    def clear(self) -> None:
        """Let go of everything."""
        self._tensors: dict[str, Tensor] = {}
        self._room = (0, 0)  # places, entries
        self.places_R: Ints = np.empty(0, np.int64)
        self.ages_P: Ints = np.empty(0, np.int64)

    def __bool__(self) -> bool:
        return bool(self._shapes)

    def tensors(self) -> dict[str, Tensor]:
        """The caches of the rows seated, [R, ..., T, ...], where they lie: for writing too."""
        return {name: tensor[: len(self.places_R)] for name, tensor in self._tensors.items()}

    def seat(self, parents_R: Ints | None) -> None:
        """Give each row of the next step a place, with the entries that its parent has.

        A parent is a row of the last step; any other number is a fresh row, which has no entries.
        None: the rows are those of the last step.
        """
        if parents_R is None:
            if self._other_room() is None:
                return
            parents_R = np.arange(len(self.places_R))
        before, rows = len(self.places_R), len(parents_R)
        old_R = parents_R < before
        from_R = np.full(rows, -1)
        from_R[old_R] = self.places_R[parents_R[old_R]]
        ages_R = np.zeros(rows, np.int64)
        ages_R[old_R] = self.ages_P[from_R[old_R]]

        # Of the rows that go on from one place, the first stays there, unless it closes a gap.
        heirs_P = np.full(max(before, rows), -1)
        heirs_P[from_R[old_R][::-1]] = np.flatnonzero(old_R)[::-1]
        heirs_P = heirs_P[:rows]
        places_R = np.full(rows, -1)
        places_R[heirs_P[heirs_P >= 0]] = np.flatnonzero(heirs_P >= 0)
        moving_R = np.flatnonzero(places_R < 0)
        places_R[moving_R] = np.flatnonzero(heirs_P < 0)

        self.places_R = places_R
        self.ages_P = np.empty(rows, np.int64)
        self.ages_P[places_R] = ages_R
        moves = _Moves(from_R=from_R, to_R=places_R, ages_R=ages_R)
        if room := self._other_room():
            self._rebuild(room, moves)
        elif copied_R := moving_R[ages_R[moving_R] > 0].tolist():
            for name, tensor in self._tensors.items():
                moves.copy(tensor, tensor, self._shapes[name].axis, copied_R)

    def grow(self) -> None:
        """Note that every row has got its next entry."""
        self.ages_P = self.ages_P + 1

    def _other_room(self) -> tuple[int, int] | None:
        """How many places and entries there should be, if not as many as there are."""
        rows = len(self.places_R)
        entries = padded(int(self.ages_P.max()) + 1, ENTRY_MULTIPLE)
        places_now, entries_now = self._room
        if rows > places_now or entries > entries_now:
            # Some spare places, so that a batch that is filling up is not copied at every join.
            places = places_now if rows <= places_now else padded(rows, _SPARE_PLACES)
            return places, max(entries, entries_now)
        if rows * entries < _WORTH_KEEPING * places_now * entries_now:
            smaller = padded(rows, _SPARE_PLACES), entries
            return smaller if smaller != self._room else None
        return None

    def _rebuild(self, room: tuple[int, int], moves: "_Moves") -> None:
        copied_R = np.flatnonzero(moves.ages_R).tolist()
        for name, shape in self._shapes.items():
            new = shape.empty(*room)
            if copied_R:
                moves.copy(self._tensors[name], new, shape.axis, copied_R)
            self._tensors[name] = new
        self._room = room


@dataclass(frozen=True, kw_only=True, slots=True)
class _Moves:
    """From which place each row takes its entries, to which, and how many."""

    from_R: Ints
    to_R: Ints
    ages_R: Ints

    def copy(self, source: Tensor, target: Tensor, axis: int, rows: list[int]) -> None:
        # Row by row, without what lies behind an age: half the memory traffic of one gather.
        source, target = np.moveaxis(source, axis, 1), np.moveaxis(target, axis, 1)
        moves = (self.from_R[rows], self.to_R[rows], self.ages_R[rows])
        for here, there, age in zip(*(each.tolist() for each in moves), strict=True):
            target[there, :age] = source[here, :age]


def cache_shapes(
    states: Sequence[StateSpec], inputs: Sequence[TensorSpec]
) -> dict[str, CacheShape]:
    """What the caches look like, by the decoder's input; sizes but the rows' and T are fixed."""
    specs = {t.name: t for t in inputs}
    return {
        state.input: CacheShape(
            dtype=specs[state.input].dtype,
            shape=tuple(s if isinstance(s, int) else 0 for s in specs[state.input].shape[1:]),
            axis=state.growing_axis,
        )
        for state in states
        if state.growing_axis is not None
    }
