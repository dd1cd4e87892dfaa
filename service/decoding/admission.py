"""Who may enter: the limits, the bounded queue's order, and the budget of the running batch.

Pure values: time comes in as an argument. The queue is ordered by urgency, which is the deadline
or `horizon_seconds` after arrival, whichever is earlier: a pressing deadline overtakes, and nobody
can be overtaken for ever. What does not fit yet (a wide beam, a long source) may be passed by
smaller requests `max_overtakes` times; then the door stays shut until it fits.
"""

from bisect import insort
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineLimits:
    """How much one engine takes on.

    `max_rows` bounds the sum of beam widths in the running batch, `max_positions` its sources
    times their padded length, `max_queue` the requests waiting. At most `max_join_positions` padded
    positions are encoded between two steps (one source always is), so that a burst of long texts
    does not stall the running batch. Joins wait for a group of 1/`join_share` of the batch, but
    never longer than `join_patience` times what encoding a group takes: everybody stands still for
    it, so at high load small groups cost more than waiting does. After `max_failures` failed steps
    in a row the engine is declared dead.
    """

    max_rows: int = 320
    max_positions: int = 16_384
    max_queue: int = 1_024
    max_join_positions: int = 2_048
    join_share: int = 1
    join_patience: float = 4.0
    horizon_seconds: float = 1.0
    max_overtakes: int = 64
    max_failures: int = 3


# Nobody waits for company whose deadline is less than so many times the longest wait away.
_HURRY = 10.0


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
    """What is free in the running batch: rows, and positions given how it is padded now."""

    limits: EngineLimits
    sources: int = 0
    rows: int = 0
    longest: int = 0
    joining: int = 0

    def take(self, width: int, positions: int) -> bool:
        """Take a seat if both budgets and the encoder's allow it."""
        longest = max(self.longest, positions)
        if self.rows + width > self.limits.max_rows:
            return False
        if (self.sources + 1) * longest > self.limits.max_positions:
            return False
        if self.joining and self.joining + positions > self.limits.max_join_positions:
            return False
        self.sources += 1
        self.rows += width
        self.longest = longest
        self.joining += positions
        return True

    @property
    def full(self) -> bool:
        """Whether not even a row is left."""
        return self.rows >= self.limits.max_rows or self.sources >= self.limits.max_positions


A = TypeVar("A", bound=Applicant)


@dataclass(slots=True)
class _Place(Generic[A]):
    urgency: float
    applicant: A
    overtaken: int = 0

    @property
    def order(self) -> tuple[float, int]:
        return (self.urgency, self.applicant.key)


class WaitingRoom(Generic[A]):
    """The queue. It is bounded by whoever adds to it."""

    def __init__(self, limits: EngineLimits) -> None:
        self._limits = limits
        self._places: list[_Place[A]] = []
        self.rows = 0  # the sum of their widths
        self._first_deadline = float("inf")
        self._held_since: float | None = None

    def __len__(self) -> int:
        return len(self._places)

    def add(self, applicant: A) -> None:
        """Queue by urgency, then by arrival."""
        self.rows += applicant.width
        urgency = applicant.arrived + self._limits.horizon_seconds
        if applicant.deadline is not None:
            urgency = min(urgency, applicant.deadline)
            self._first_deadline = min(self._first_deadline, applicant.deadline)
        place = _Place(urgency, applicant)
        if not self._places or self._places[-1].order <= place.order:
            self._places.append(place)
        else:
            insort(self._places, place, key=lambda p: p.order)

    def remove(self, condemned: Callable[[A], bool]) -> list[A]:
        """Take out every applicant that `condemned` is true of."""
        removed = [p for p in self._places if condemned(p.applicant)]
        self._take_out(removed)
        return [p.applicant for p in removed]

    def expire(self, now: float) -> list[A]:
        """Take out those whose deadline has passed. Costs nothing before the first deadline."""
        if now < self._first_deadline:
            return []
        expired = self.remove(lambda a: a.deadline is not None and a.deadline <= now)
        deadlines = (p.applicant.deadline for p in self._places)
        self._first_deadline = min((d for d in deadlines if d is not None), default=float("inf"))
        return expired

    def pick(self, room: Room, now: float, encoding_seconds: float = 0.0) -> list[A]:
        """The group that joins now, in order of urgency; empty when it should wait for company.

        `encoding_seconds` is what encoding a group takes.
        """
        if not self._places or room.full:
            return []
        seated = room.sources
        chosen, passed = self._choose(room)
        patience = self._limits.join_patience * encoding_seconds
        if not chosen or self._should_hold(len(chosen), seated, now, patience):
            return []
        self._held_since = None
        for place, overtakes in passed:
            place.overtaken += overtakes
        self._take_out(chosen)
        return [p.applicant for p in chosen]

    def _take_out(self, leaving: list[_Place[A]]) -> None:
        self.rows -= sum(p.applicant.width for p in leaving)
        if leaving and self._places[len(leaving) - 1] is leaving[-1]:  # the very first: as usual
            del self._places[: len(leaving)]
        elif leaving:
            gone = {id(p) for p in leaving}
            self._places = [p for p in self._places if id(p) not in gone]

    def _choose(self, room: Room) -> tuple[list[_Place[A]], list[tuple[_Place[A], int]]]:
        chosen: list[_Place[A]] = []
        skipped: list[tuple[_Place[A], int]] = []
        for place in self._places:
            if room.take(place.applicant.width, place.applicant.positions):
                chosen.append(place)
            elif place.overtaken >= self._limits.max_overtakes:
                break  # it has been passed often enough: nobody else enters before it
            else:
                skipped.append((place, len(chosen)))
            # A look at a few who do not fit is worth it; at the whole queue, every step, is not.
            if room.full or len(skipped) >= 16:
                break
        return chosen, [(place, len(chosen) - before) for place, before in skipped]

    def _should_hold(self, group: int, seated: int, now: float, patience: float) -> bool:
        # Encoding one by one loses at high load: encoders are cheaper per sentence in groups.
        if group * self._limits.join_share >= seated:
            return False
        if self._first_deadline - now < _HURRY * patience:
            return False
        if self._held_since is None:
            self._held_since = now
        return now - self._held_since < patience


class Pace:
    """How fast rows become free: a decaying average that forecasts the wait in the queue."""

    def __init__(self, memory_steps: int = 200) -> None:
        self._decay = 1 - 1 / memory_steps
        self._rows = 0.0
        self._seconds = 0.0

    def observe(self, freed_rows: int, seconds: float) -> None:
        """Note one step that took `seconds` and freed so many rows."""
        self._rows = self._rows * self._decay + freed_rows
        self._seconds = self._seconds * self._decay + seconds

    def wait_seconds(self, rows_short: int) -> float:
        """Seconds until so many rows have become free; 0 while nothing is known."""
        if rows_short <= 0 or self._rows <= 0:
            return 0.0
        return rows_short * self._seconds / self._rows


class Average:
    """What something takes lately: an average in which the past decays."""

    def __init__(self, memory: int = 20) -> None:
        self._memory = memory
        self._seen = 0
        self.value = 0.0

    def observe(self, value: float) -> None:
        """Note one more."""
        self._seen = min(self._seen + 1, self._memory)
        self.value += (value - self.value) / self._seen


def padded(positions: int, multiple: int) -> int:
    """`positions` rounded up to a multiple."""
    return -(-positions // multiple) * multiple
