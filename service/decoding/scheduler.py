"""Plan, run, absorb: what joins, what steps, what came of it.

The scheduler owns every sequence between submission and result. It is stepped by someone else (see
`engine`), who runs the model between `plan` and `absorb`; it has no thread, clock, lock or metric.
Rows are laid out by kind (width first), then by seniority. B sources, R rows, as in `stepper`.
"""

from collections.abc import Collection, Iterable
from collections.abc import Sequence as Listed
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.decoding.admission import EngineLimits, Room, padded
from service.decoding.cohort import Cohort, Kind
from service.decoding.request import DecodeRequest
from service.decoding.seats import Seats
from service.decoding.sequence import Sequence, Trail
from service.decoding.stepper import Ints, StepInput, StepOutput, Stepper
from service.decoding.waiting import WaitingRoom


@dataclass(frozen=True, kw_only=True, slots=True)
class Admission:
    """Who came and went between two steps. `wasted_rows` were computed for those who went."""

    joining: Listed[Sequence] = ()
    cancelled: Listed[Sequence] = ()
    expired: Listed[Sequence] = ()
    wasted_rows: int = 0


_NOBODY = Admission()


class Scheduler:
    """Continuous batching. One turn: `admit`, `seat` (who could be encoded), `plan`, `absorb`."""

    def __init__(self, stepper: Stepper, limits: EngineLimits) -> None:
        self._bos_id, self._eos_id = stepper.bos_id, stepper.eos_id
        self._multiple = stepper.position_multiple
        self._limits = limits
        self._waiting: WaitingRoom[Sequence] = WaitingRoom(limits)
        self._seats = Seats()
        self._fresh: list[Sequence] = []
        self._cohorts: dict[Kind, Cohort] = {}
        self._trail = Trail()
        # As the stepper counts them: sources it holds, and rows of its last step plus fresh ones.
        self._held_sources = 0
        self._held_rows = 0
        self._sources_R: Ints = np.empty(0, np.int64)  # of the last step

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return len(self._waiting)

    @property
    def waiting_rows(self) -> int:
        """The rows that they will need."""
        return self._waiting.rows

    @property
    def seated(self) -> int:
        """Requests being decoded."""
        return len(self._seats)

    @property
    def reserved_rows(self) -> int:
        """Rows set aside for them: the sum of their widths."""
        return self._seats.rows

    @property
    def sources(self) -> int:
        """Sources that the stepper holds."""
        return self._held_sources

    @property
    def rows(self) -> int:
        """Rows that the next step has, as things stand."""
        return sum(len(c.tokens_R) for c in self._cohorts.values())

    def sequence(self, key: int, request: DecodeRequest, now: float) -> Sequence:
        """A request as it enters the engine. Keys must ascend."""
        positions = padded(len(request.source), self._multiple)
        return Sequence(
            key=key, request=request, arrived=now, positions=positions, width=request.rows
        )

    def enqueue(self, sequence: Sequence) -> None:
        """Put a sequence into the queue."""
        self._waiting.add(sequence)

    def admit(
        self, now: float, cancelled: Collection[int] = (), standstill: float = 0.0
    ) -> Admission:
        """Show out the cancelled and expired, seated or waiting, and choose who joins.

        `standstill` is how long even the smallest group takes to join: it says how long to wait.
        Those chosen have left the queue and must be seated, or given up, by the caller.
        """
        if not cancelled and not self._waiting and now < self._seats.first_deadline:
            return _NOBODY  # as at most turns
        rows_before = self.rows
        gone = self._leave_seats(s for key in cancelled if (s := self._seats.of(key)))
        if cancelled:
            gone += self._waiting.remove(lambda s: s.key in cancelled)
        expired = self._waiting.expire(now) + self._leave_seats(self._seats.overdue(now))
        wasted = rows_before - self.rows
        joining: list[Sequence] = []
        if self._waiting:
            joining = self._waiting.pick(self._room(), now, standstill)
        return Admission(joining=joining, cancelled=gone, expired=expired, wasted_rows=wasted)

    def seat(self, joined: Listed[Sequence], now: float) -> None:
        """Let these begin: the sources that the stepper has just taken in, in this order."""
        if not joined:
            return
        by_kind: dict[Kind, list[int]] = {}
        for index, sequence in enumerate(joined):
            sequence.seated = now
            self._seats.take(sequence, self._trail.next_step)
            by_kind.setdefault(Kind.of(sequence.request), []).append(index)
        for kind, indices in by_kind.items():
            if kind not in self._cohorts:
                self._cohorts[kind] = Cohort(kind, self._bos_id, self._eos_id)
                self._cohorts = dict(sorted(self._cohorts.items()))
            places = np.array(indices, np.int64)
            self._cohorts[kind].seat(
                [joined[i] for i in indices],
                sources=self._held_sources + places,
                parents=self._held_rows + places,
            )
        self._held_sources += len(joined)
        self._held_rows += len(joined)
        self._fresh += joined

    def plan(self) -> StepInput | None:
        """The next step, or `None` when nobody is seated; then the stepper is to be reset."""
        cohorts = list(self._cohorts.values())
        if not cohorts:
            self._held_sources = self._held_rows = 0
            self._trail = Trail()
            return None
        tokens_R = _join([c.tokens_R for c in cohorts])
        kept_B, parents_R = None, None
        if len(tokens_R) != self._held_rows or any(c.parents_R is not None for c in cohorts):
            kept_B = self._renumber_sources(cohorts)
            parents_R = _join([c.explicit_parents() for c in cohorts])
            self._sources_R = _join([c.roster.sources_C[c.searches_R] for c in cohorts])
        work = StepInput(
            tokens_R=tokens_R,
            sources_R=self._sources_R,  # rows that stay where they were keep their sources too
            parents_R=parents_R,
            kept_B=kept_B,
            top_k=max(c.top_k for c in cohorts),
            probe_ids_RP=_probes(cohorts) if self._seats.probing else None,
            attend=bool(self._seats.attending),
        )
        self._trail.record(tokens_R, parents_R, _join([c.log_probs_R for c in cohorts]))
        first_row = 0
        for cohort in cohorts:
            cohort.planned(first_row)
            first_row += len(cohort.tokens_R)
        self._held_rows = first_row
        return work

    def absorb(self, output: StepOutput, now: float) -> list[Sequence]:
        """Learn what the step brought; returns who is finished, with `hypotheses`.

        One whose hypotheses are empty got no usable number from the model.
        """
        step = self._trail.next_step - 1
        seats = self._seats
        if (seats.aligning or seats.soft) and output.attention_RS is not None:
            self._trail.note_attention(output.attention_RS, soft=bool(seats.soft))
        for sequence in self._fresh:
            sequence.first_token = now
        self._fresh = []
        over = [s for c in self._cohorts.values() for s in c.absorb(output, step)]
        for sequence in over:
            sequence.finished = now
            sequence.steps = step + 1 - seats.born(sequence)
            sequence.hypotheses = tuple(
                self._trail.read(e, sequence.request) for e in sequence.ended
            )
            seats.leave(sequence)
        if over:
            self._tidy()
        return over

    def abandon(self) -> list[Sequence]:
        """Give up everybody seated, after a failed step; the stepper is to be reset."""
        lost = list(self._seats)
        self._seats, self._cohorts, self._fresh = Seats(), {}, []
        self._held_sources = self._held_rows = 0
        self._trail = Trail()
        return lost

    def dismiss(self) -> list[Sequence]:
        """Empty the queue."""
        return self._waiting.remove(lambda _: True)

    def _room(self) -> Room:
        return Room(self._limits, len(self._seats), self._seats.rows, self._seats.longest)

    def _leave_seats(self, leaving: Iterable[Sequence]) -> list[Sequence]:
        gone = {s.key: s for s in leaving}
        if gone:
            for cohort in self._cohorts.values():
                keep_C = np.array([s.key not in gone for s in cohort.roster.sequences])
                if not keep_C.all():
                    cohort.unseat(keep_C)
            for sequence in gone.values():
                self._seats.leave(sequence)
            self._tidy()
        return list(gone.values())

    def _tidy(self) -> None:
        self._cohorts = {k: c for k, c in self._cohorts.items() if c.roster}
        self._trail.forget_before(self._seats.first_step(self._trail.next_step))

    def _renumber_sources(self, cohorts: list[Cohort]) -> Ints | None:
        sources = sum(len(c.roster) for c in cohorts)
        if sources == self._held_sources:
            return None
        kept_B = np.sort(_join([c.roster.sources_C for c in cohorts]))
        numbers = np.empty(self._held_sources, np.int64)
        numbers[kept_B] = np.arange(sources)
        for cohort in cohorts:
            cohort.roster.sources_C = numbers[cohort.roster.sources_C]
        self._held_sources = sources
        return kept_B


def _join(arrays: list[NDArray[Any]]) -> NDArray[Any]:
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def _probes(cohorts: list[Cohort]) -> Ints | None:
    """The probes of all rows, filled up with 0 to the same number, if there are any."""
    probes = [c.probes() for c in cohorts]
    most = max((each.shape[1] for each in probes if each is not None), default=0)
    if most == 0:
        return None
    ids_RP = np.zeros((sum(len(c.tokens_R) for c in cohorts), most), np.int64)
    first_row = 0
    for cohort, each in zip(cohorts, probes, strict=True):
        if each is not None:
            ids_RP[first_row : first_row + len(each), : each.shape[1]] = each
        first_row += len(cohort.tokens_R)
    return ids_RP
