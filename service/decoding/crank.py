"""One turn of the engine, synchronously: scheduler, stepper, and what may go wrong between them.

No thread, no lock, no future: whoever turns the crank (see `engine`) brings the arrivals and
carries the outcome away.
"""

import logging
from collections.abc import Callable, Collection, Iterable
from collections.abc import Sequence as Listed
from dataclasses import dataclass, field

from service.decoding.admission import EngineLimits
from service.decoding.pace import Line, Pace
from service.decoding.request import DecodeRequest
from service.decoding.scheduler import Admission, Scheduler
from service.decoding.sequence import Sequence
from service.decoding.stepper import StepFailed, StepInput, Stepper
from service.errors import DeadlineExceeded, InvalidArgument, ParleyError

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class StepReport:
    """The facts of one turn.

    `rows` and `sources` are those of the step (0 when there was none), `tokens` the length of the
    best hypotheses that finished in it, `wasted_rows` the rows that the step before had computed
    for requests found dead now. `host_seconds` is the turn less encoding and stepping.
    """

    rows: int
    sources: int
    joined: int
    finished: int
    cancelled: int
    expired: int
    failed: int
    tokens: int
    wasted_rows: int
    queue_depth: int
    step_seconds: float
    encode_seconds: float
    host_seconds: float


@dataclass(slots=True)
class Outcome:
    """Whom a turn was the last for: answered, or failed and why; who cancelled knows already."""

    finished: list[Sequence] = field(default_factory=list)
    failed: list[tuple[Sequence, ParleyError]] = field(default_factory=list)
    cancelled: Listed[Sequence] = ()


class Crank:
    """Turns: `admit`, then `run`; both in one thread."""

    def __init__(self, stepper: Stepper, limits: EngineLimits, clock: Callable[[], float]) -> None:
        self._stepper = stepper
        self._limits = limits
        self._clock = clock
        stepper.reset()  # whatever it was used for before
        self._scheduler = Scheduler(stepper, limits)
        self._pace = Pace()
        self._joining = Line()
        self._strikes = 0
        self.dead: str | None = None

    @property
    def busy(self) -> bool:
        """Whether there is anybody to decode for."""
        return bool(self._scheduler.waiting or self._scheduler.seated)

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return self._scheduler.waiting

    @property
    def waiting_rows(self) -> int:
        """The rows that the queue will need."""
        return self._scheduler.waiting_rows

    @property
    def seated(self) -> int:
        """Requests being decoded."""
        return self._scheduler.seated

    @property
    def reserved_rows(self) -> int:
        """Rows set aside for the seated."""
        return self._scheduler.reserved_rows

    def wait_seconds(self, sources_ahead: int, rows_ahead: int) -> float:
        """How long until a request is seated that has so many before it, itself included."""
        limits = self._limits
        return self._pace.wait_seconds(
            sources_ahead - limits.max_sources, rows_ahead - limits.max_rows
        )

    def answer_seconds(self, sources_ahead: int, rows_ahead: int) -> float:
        """How long until a request that has to wait has left, as all who are before it."""
        return self._pace.wait_seconds(sources_ahead, rows_ahead)

    def sequence(self, key: int, request: DecodeRequest, now: float) -> Sequence:
        """A request as it enters. Keys must ascend."""
        return self._scheduler.sequence(key, request, now)

    def admit(self, arrivals: Iterable[Sequence], cancelled: Collection[int]) -> Admission:
        """Queue the arrivals, show out the dead, choose who joins. To be followed by `run`."""
        for sequence in arrivals:
            self._scheduler.enqueue(sequence)
        return self._scheduler.admit(self._clock(), cancelled, self._joining.fixed)

    def run(self, admission: Admission, started: float) -> tuple[Outcome, StepReport]:
        """Encode who joins, step everybody, and say what came of it.

        `started` is when the turn began, by the clock.
        """
        outcome = Outcome(cancelled=admission.cancelled)
        outcome.failed += [(s, DeadlineExceeded()) for s in admission.expired]
        before_encoding = self._clock()
        joined = self._encode(admission.joining, outcome)
        encoded = before_stepping = stepped = self._clock() if joined else before_encoding
        self._scheduler.seat(joined, encoded)
        work = self._scheduler.plan()
        sources = self._scheduler.sources
        if work is None:
            self._stepper.reset()
        else:
            before_stepping = self._clock()
            stepped = self._step(work, outcome)
            self._rest()
        ended = self._clock()
        freed = sum(s.width for s in outcome.finished)
        if (
            self._scheduler.waiting
        ):  # an engine with seats to spare does not show how fast it can be
            self._pace.observe(len(outcome.finished), freed, ended - started)
        if joined:
            positions = sum(s.positions for s in joined)
            self._joining.observe(positions, encoded - before_encoding)
        encode_seconds, step_seconds = encoded - before_encoding, stepped - before_stepping
        return outcome, StepReport(
            rows=0 if work is None else len(work.tokens_R),
            sources=sources,
            joined=len(joined),
            finished=len(outcome.finished),
            cancelled=len(admission.cancelled),
            expired=len(admission.expired),
            failed=len(outcome.failed) - len(admission.expired),
            tokens=sum(len(s.hypotheses[0].tokens) for s in outcome.finished),
            wasted_rows=admission.wasted_rows,
            queue_depth=self._scheduler.waiting,
            step_seconds=step_seconds,
            encode_seconds=encode_seconds,
            host_seconds=ended - started - encode_seconds - step_seconds,
        )

    def give_up(self) -> list[Sequence]:
        """Everybody who is still inside; the crank is empty afterwards."""
        left = self._scheduler.abandon() + self._scheduler.dismiss()
        self._stepper.reset()
        return left

    def _rest(self) -> None:
        """Hold nothing for nobody: it may be long before the next turn."""
        if self._scheduler.seated == 0 and self._scheduler.plan() is None:
            self._stepper.reset()

    def _encode(self, joining: Listed[Sequence], outcome: Outcome) -> Listed[Sequence]:
        if not joining:
            return ()
        try:
            self._stepper.join(
                [s.request.source for s in joining],
                unabridged=[s.request.unabridged for s in joining],
            )
        except Exception as error:  # noqa: BLE001 - whatever a model may raise
            if len(joining) == 1:
                _log.exception("encoding failed")
                outcome.failed.append(
                    (joining[0], _failed("the source could not be encoded", error))
                )
                return ()
            # Somebody in the group is to blame; the others need not pay for it.
            return [s for each in joining for s in self._encode([each], outcome)]
        return joining

    def _step(self, work: StepInput, outcome: Outcome) -> float:
        """Run the step and learn from it; returns when the model was done."""
        try:
            output = self._stepper.step(work)
        except Exception as error:  # noqa: BLE001 - whatever a model may raise
            _log.exception("a decoding step of %d rows failed", len(work.tokens_R))
            self._strikes += 1
            if self._strikes >= self._limits.max_failures:
                self.dead = f"{self._strikes} decoding steps failed in a row"
            reason = _failed("a decoding step failed", error)
            outcome.failed += [(s, reason) for s in self._scheduler.abandon()]
            self._stepper.reset()
            return self._clock()
        self._strikes = 0
        stepped = self._clock()
        for sequence in self._scheduler.absorb(output, stepped):
            if sequence.hypotheses:
                outcome.finished.append(sequence)
            else:
                outcome.failed.append((sequence, _nothing_said(sequence.request)))
        return stepped


def _nothing_said(request: DecodeRequest) -> ParleyError:
    """Why there is not one hypothesis."""
    for wish in ("required_phrases", "forbidden_phrases", "no_repeat_ngram"):
        if getattr(request, wish):
            return InvalidArgument(
                wish,
                "leaves nothing that could be said within the lengths asked for and with all that "
                "is forbidden, required or never repeated; ask for less",
            )
    return StepFailed("the model gave no usable probabilities")


def _failed(message: str, cause: Exception) -> StepFailed:
    error = StepFailed(message)
    error.__cause__ = cause
    return error
