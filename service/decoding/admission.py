"""What may be taken on: the limits of an engine, and the budget of the running batch.

Pure values: time comes in as an argument.
"""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineLimits:
    """How much one engine takes on.

    `max_rows` bounds the sum of beam widths in the running batch, `max_sources` its requests,
    `max_positions` these times their padded length, `max_queue` the requests waiting. At most
    `max_join_positions` padded positions are encoded between two steps (one source always is), so
    that a burst of long texts does not stall the running batch. More sources than `max_sources`, or
    more of their positions than caches hold (`near_positions`; a few sources may have more), would
    make no row of a step cheaper, and everybody's steps longer.

    Everybody seated stands still while others join. So joins wait for company: until they have
    together waited `join_patience` times as long as the seated would together stand still for even
    the smallest group, and never longer than `join_stills` times that standstill. Nobody in the
    queue is passed by more than `max_overtakes` later ones and one group, who does not fit by an
    eighth as many; `horizon_seconds` after arrival, age presses as a deadline does. After
    `max_failures` failed steps in a row the engine is declared dead.
    """

    max_rows: int = 320
    max_sources: int = 64
    max_positions: int = 16_384
    near_positions: int = 2_048
    max_queue: int = 1_024
    max_join_positions: int = 2_048
    join_patience: float = 8.0
    join_stills: float = 32.0
    horizon_seconds: float = 1.0
    max_overtakes: int = 512
    max_failures: int = 3


# So many sources may share a step, wherever their positions lie: its weights are read for all.
_FEW = 16


class Applicant(Protocol):
    """What the queue must know of a waiting request."""

    @property
    def key(self) -> int: ...
    @property
    def width(self) -> int: ...
    @property
    def positions(self) -> int: ...
    @property
    def arrived(self) -> float: ...
    @property
    def deadline(self) -> float | None: ...


@dataclass(slots=True)
class Room:
    """What is free in the running batch: seats, rows, and positions given how it is padded now."""

    limits: EngineLimits
    sources: int = 0
    rows: int = 0
    longest: int = 0
    joining: int = 0

    def take(self, width: int, positions: int) -> bool:
        """Take a seat if all budgets and the encoder's allow it."""
        longest = max(self.longest, positions)
        if self.sources >= self._most(longest) or self.rows + width > self.limits.max_rows:
            return False
        if self.joining and self.joining + positions > self.limits.max_join_positions:
            return False
        self.sources += 1
        self.rows += width
        self.longest = longest
        self.joining += positions
        return True

    def seats(self, width: int = 1, positions: int = 1) -> int:
        """How many of this width and length may come."""
        sources = self._most(max(self.longest, positions)) - self.sources
        return min(sources, (self.limits.max_rows - self.rows) // width)

    @property
    def full(self) -> bool:
        """Whether nobody at all could come."""
        return self.seats() <= 0

    def _most(self, longest: int) -> int:
        """How many sources there may be with so long a one among them."""
        limits = self.limits
        near = max(_FEW, limits.near_positions // longest)
        return min(limits.max_sources, near, limits.max_positions // longest)


def padded(positions: int, multiple: int) -> int:
    """`positions` rounded up to a multiple."""
    return -(-positions // multiple) * multiple
