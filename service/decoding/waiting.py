"""The queue: who joins next, and in whose company.

It is ordered by urgency, which is the deadline or `horizon_seconds` after arrival, whichever is
earlier: a pressing deadline overtakes, and nobody can be overtaken for ever. While all who wait fit
into the batch, they join in that order. Where more wait than fit, as with a corpus, sources of like
length are chosen: what is padded to the longest is encoded and attended to for nothing. A sweep
goes through the lengths of those who have waited longest, from the longest down, and begins anew
behind the shortest; so the batch changes its length little by little, and ends with short ones.

Who is passed too often, by the sweep or since it does not fit yet (a wide beam, a long source), is
next; then the door stays shut until it fits. Time comes in as an argument.
"""

from bisect import insort
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain, islice
from typing import Generic, TypeVar

from service.decoding.admission import Applicant, EngineLimits, Room

# Of how many who have waited longest the sweep chooses: enough for groups of one length.
_WINDOW = 512
# Who did not fit, and so waits for many to leave, is next after a fraction of the overtakes.
_SOONER = 8
# A look at a few who do not fit is worth it; at the whole queue, every step, is not.
_MISFITS = 16
# Nobody waits for company whose deadline is less than so many times the longest wait away.
_HURRY = 10.0

A = TypeVar("A", bound=Applicant)


@dataclass(slots=True)
class _Place(Generic[A]):
    urgency: float
    applicant: A
    overtaken: int = 0
    misfit: bool = False

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
        self._sweep = float("inf")  # the length that it has come down to
        # Since when somebody could have joined, and how long those who could have waited in all;
        # how many could at the last look, and when that was.
        self._since: float | None = None
        self._waited = 0.0
        self._group = 0
        self._looked = 0.0

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

    def pick(self, room: Room, now: float, standstill: float = 0.0) -> list[A]:
        """The group that joins now, in order of urgency; empty when it should wait for company.

        For `standstill` seconds everybody seated stands still when others join, few as they may be.
        """
        if self._should_hold(room, now, standstill):
            return []
        chosen = self._choose(room, now)
        if not chosen:
            return []
        self._waited, self._group, self._since = 0.0, 0, None
        self._sweep = chosen[-1].applicant.positions
        chosen.sort(key=lambda p: p.order)
        self._note_passed(chosen)
        self._take_out(chosen)
        return [p.applicant for p in chosen]

    def _should_hold(self, room: Room, now: float, standstill: float) -> bool:
        """Whether to wait for company; true also when nobody waits, or nobody could join."""
        self._waited += self._group * (now - self._looked)
        self._looked, self._group = now, 0
        if not self._places or room.full:
            return True
        first = self._places[0].applicant
        seats = room.seats(first.width, first.positions)
        self._group = min(len(self._places), max(1, seats))
        if self._since is None:
            self._since = now
        longest = self._limits.join_stills * standstill
        if self._group >= room.sources or self._first_deadline - now < _HURRY * longest:
            return False
        enough = self._limits.join_patience * standstill * room.sources
        return self._waited < enough and now - self._since < longest

    def _choose(self, room: Room, now: float) -> list[_Place[A]]:
        chosen: list[_Place[A]] = []
        misfits = 0
        for place in self._candidates(room, now):
            if room.take(place.applicant.width, place.applicant.positions):
                chosen.append(place)
                continue
            place.misfit = True
            misfits += 1
            if room.full or misfits >= _MISFITS or self._passed_too_often(place):
                break
        return chosen

    def _candidates(self, room: Room, now: float) -> Iterable[_Place[A]]:
        """The places, in the order in which they should be taken."""
        if len(self._places) <= room.seats():
            return self._places
        soon = now + self._limits.horizon_seconds
        pressing: list[_Place[A]] = []
        free: list[_Place[A]] = []
        for place in self._places[:_WINDOW]:
            deadline = place.applicant.deadline
            presses = deadline is not None and deadline <= soon
            (pressing if presses or self._passed_too_often(place) else free).append(place)
        free.sort(key=lambda p: (p.applicant.positions > self._sweep, -p.applicant.positions))
        return chain(pressing, free, islice(self._places, _WINDOW, None))

    def _passed_too_often(self, place: _Place[A]) -> bool:
        limit = self._limits.max_overtakes
        return place.overtaken >= (limit // _SOONER if place.misfit else limit)

    def _note_passed(self, chosen: list[_Place[A]]) -> None:
        """Count for all who stay how many of those behind them go in."""
        if self._places[len(chosen) - 1] is chosen[-1]:
            return  # they were the first
        going, passing = {id(p) for p in chosen}, len(chosen)
        for place in self._places:
            if id(place) in going:
                passing -= 1
            else:
                place.overtaken += passing
            if not passing:
                break

    def _take_out(self, leaving: list[_Place[A]]) -> None:
        self.rows -= sum(p.applicant.width for p in leaving)
        if leaving and self._places[len(leaving) - 1] is leaving[-1]:  # the very first: as usual
            del self._places[: len(leaving)]
        elif leaving:
            gone = {id(p) for p in leaving}
            self._places = [p for p in self._places if id(p) not in gone]
