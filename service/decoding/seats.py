"""Who is being decoded, and what they want of a step between them."""

from collections.abc import Iterator

from service.decoding.sequence import Sequence

__all__ = ["Seats"]


class Seats:
    """Taken in order, so the first is the eldest; counts are of those seated now."""

    def __init__(self) -> None:
        self._seated: dict[int, Sequence] = {}
        self._born: dict[int, int] = {}
        self.first_deadline = float("inf")  # at the earliest
        self.rows = 0  # set aside for them: the sum of their widths
        # How many want alignments, soft ones, any attention, probes.
        self.aligning = self.soft = self.attending = self.probing = 0

    def __len__(self) -> int:
        return len(self._seated)

    def __iter__(self) -> Iterator[Sequence]:
        return iter(self._seated.values())

    @property
    def longest(self) -> int:
        """The most positions that one of them has."""
        return max((each.positions for each in self), default=0)

    def of(self, key: int) -> Sequence | None:
        """Who has that key, if seated."""
        return self._seated.get(key)

    def take(self, sequence: Sequence, step: int) -> None:
        """Seat somebody whose first step is number `step`."""
        self._seated[sequence.key] = sequence
        self._born[sequence.key] = step
        if sequence.deadline is not None:
            self.first_deadline = min(self.first_deadline, sequence.deadline)
        self._count(sequence, 1)

    def leave(self, sequence: Sequence) -> None:
        """Free a seat."""
        del self._seated[sequence.key], self._born[sequence.key]
        self._count(sequence, -1)

    def overdue(self, now: float) -> list[Sequence]:
        """Whose deadline has passed. Costs nothing before the first deadline."""
        if now < self.first_deadline:
            return []
        deadlines = {each.key: each.deadline for each in self if each.deadline is not None}
        left = (deadline for deadline in deadlines.values() if deadline > now)
        self.first_deadline = min(left, default=float("inf"))
        return [self._seated[key] for key, deadline in deadlines.items() if deadline <= now]

    def born(self, sequence: Sequence) -> int:
        """The number of the first step of somebody seated."""
        return self._born[sequence.key]

    def first_step(self, upcoming: int) -> int:
        """The number of the eldest's first step; of the `upcoming` one where nobody is seated."""
        return next(iter(self._born.values()), upcoming)

    def _count(self, sequence: Sequence, change: int) -> None:
        request = sequence.request
        self.rows += change * sequence.width
        self.aligning += change * request.alignments
        self.soft += change * request.soft_alignments
        self.attending += change * request.attending
        self.probing += change * request.probing
