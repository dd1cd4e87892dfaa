"""The thin shell: a thread that turns the crank for those at the desk.

Everything that decides is in `scheduler` and `admission`, everything that runs in `crank`. Any
thread may submit; the crank is touched by the decoding thread alone.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from time import monotonic

from service.decoding.admission import EngineLimits
from service.decoding.crank import Crank, StepReport
from service.decoding.desk import Desk
from service.decoding.possible import check_possible
from service.decoding.request import DecodeRequest, DecodeResult
from service.decoding.scheduler import Admission
from service.decoding.stepper import StepFailed, Stepper
from service.errors import DeadlineExceeded, Overloaded, ParleyError, Unavailable

__all__ = ["Engine", "StepReport"]

_log = logging.getLogger(__name__)

# A deadline must be so many times as far away as the answer: forecasts err, and an answer has to be
# delivered. Queues are as long as deadlines let them be where more comes than can be done, and one
# that is filled to the last moment has half of its callers leave just before their turn.
_CAUTION = 1.25


class Engine:
    """Decodes many requests at once on one stepper.

    `submit` is for servers (after `start`), `decode` for tools and tests. `on_step` is called with
    a `StepReport` after every turn, in the decoding thread: it must be quick.
    """

    def __init__(
        self,
        stepper: Stepper,
        limits: EngineLimits | None = None,
        *,
        clock: Callable[[], float] = monotonic,
        on_step: Callable[[StepReport], None] | None = None,
        name: str = "engine",
    ) -> None:
        self._stepper = stepper
        self._limits = limits or EngineLimits()
        self._clock = clock
        self._on_step = on_step
        self._name = name
        self._crank = Crank(stepper, self._limits, clock)

        self._desk = Desk()
        self._stop_at: float | None = None
        self._thread: threading.Thread | None = None
        self._turning = threading.Lock()  # `decode` without a thread: one caller at a time

    @property
    def queue_depth(self) -> int:
        """Requests waiting for a seat."""
        return self._desk.queued

    @property
    def live_rows(self) -> int:
        """Rows set aside for the requests being decoded: the sum of their beam widths."""
        return self._desk.reserved_rows

    @property
    def accepting(self) -> bool:
        """Whether requests may still be submitted."""
        return self._desk.accepting

    @property
    def failure(self) -> str | None:
        """Why the engine is dead; `None` while it lives."""
        return self._desk.failure

    @property
    def unanswered(self) -> int:
        """Requests that somebody may still wait for."""
        return self._desk.unanswered

    @property
    def healthy(self) -> bool:
        """False once the engine has failed for good, or its thread is gone: load the model anew."""
        alive = self._thread is None or self._thread.is_alive()
        return self.failure is None and alive

    def start(self) -> None:
        """Start the decoding thread. Raises `RuntimeError` the second time."""
        with self._desk.changed:
            if self._thread is not None:
                raise RuntimeError("the engine was started before")
            self._thread = threading.Thread(target=self._run, name=f"decode-{self._name}")
            self._thread.daemon = True  # a process that forgets to stop can still end
        self._thread.start()

    def submit(self, request: DecodeRequest) -> Future[DecodeResult]:
        """Queue a request. Cancelling the future takes its rows out before the next step.

        Raises `InvalidArgument` if it can never run here, `DeadlineExceeded` if its time is over,
        `Overloaded` if the queue is full or too long for its deadline, `Unavailable` after `stop`
        or when the engine is dead. The future fails with `DeadlineExceeded`, `StepFailed` or
        `Unavailable`.
        """
        check_possible(request, self._stepper, self._limits)
        now = self._clock()
        if request.deadline is not None and request.deadline <= now:
            raise DeadlineExceeded("the deadline had passed before decoding began")
        with self._desk.changed:
            self._check_room(request, now)
            return self._enter(request, now)

    def decode(self, requests: Sequence[DecodeRequest]) -> list[DecodeResult]:
        """Decode all of these and return their results in order.

        Runs in the caller's thread, unless the engine was started; then it queues as many at a time
        as there is room for. Raises what the first failing future raises, see `submit`.
        """
        for request in requests:
            check_possible(request, self._stepper, self._limits)
        if self._thread is not None:
            return self._decode_queued(requests)
        with self._turning:
            with self._desk.changed:
                self._desk.check_open()
                now = self._clock()
                futures = [self._enter(request, now) for request in requests]
            for future in futures:
                while not future.done():
                    self._turn()
        return [f.result() for f in futures]

    def stop(self, drain_seconds: float = 0.0) -> bool:
        """Refuse new requests, give those inside so long to finish, fail the rest. Idempotent.

        Returns whether everybody finished.
        """
        with self._desk.changed:
            self._desk.accepting = False
            if self._stop_at is None:
                self._stop_at = self._clock() + drain_seconds
            self._desk.changed.notify_all()
        if self._thread is not None:
            self._thread.join()
        with self._turning:
            return self._fail_rest(Unavailable("the engine was stopped")) == 0

    # --- at the door, in any thread -------------------------------------------------------------

    def _check_room(self, request: DecodeRequest, now: float) -> None:
        desk, limits = self._desk, self._limits
        desk.check_open()
        ahead = desk.queued + desk.seated + 1, desk.queued_rows + desk.reserved_rows + request.rows
        wait = self._crank.wait_seconds(*ahead)
        if desk.queued >= limits.max_queue:
            raise Overloaded(
                f"the queue is full: {desk.queued} of at most {limits.max_queue} wait",
                max(wait, 0.05),
            )
        if request.deadline is None or not wait:
            return
        left, expected = request.deadline - now, self._crank.answer_seconds(*ahead)
        if left <= _CAUTION * expected:
            raise Overloaded(
                f"the deadline is {left:.3f} s away, an answer would take {expected:.3f} s", wait
            )

    def _enter(self, request: DecodeRequest, now: float) -> Future[DecodeResult]:
        return self._desk.enter(self._crank.sequence(self._desk.key(), request, now))

    def _decode_queued(self, requests: Sequence[DecodeRequest]) -> list[DecodeResult]:
        futures: list[Future[DecodeResult]] = []
        for request in requests:
            while True:
                try:
                    futures.append(self.submit(request))
                    break
                except Overloaded:
                    unfinished = [f for f in futures if not f.done()]
                    if not unfinished:
                        raise
                    wait(unfinished, return_when=FIRST_COMPLETED)
        return [f.result() for f in futures]

    # --- inside, in the decoding thread ---------------------------------------------------------

    def _run(self) -> None:
        try:
            while self._await_work():
                self._turn()
        except Exception:  # noqa: BLE001 - a defect of ours: nobody may wait for ever for it
            _log.exception("the decoding thread of %s failed", self._name)
            self._die("an unexpected error, see the log")

    def _await_work(self) -> bool:
        """Sleep until there is something to do; false when it is time to go."""
        with self._desk.changed:
            while not (self._desk.has_arrivals or self._crank.busy):
                if self._stop_at is not None or self.failure is not None:
                    return False
                self._desk.changed.wait()
            return self._stop_at is None or self._clock() < self._stop_at

    def _turn(self) -> None:
        desk, crank, started = self._desk, self._crank, self._clock()
        # A look without the lock: who comes just now is met at the next turn.
        news = desk.has_news or crank.waiting
        admission = self._admit() if news else crank.admit((), ())
        outcome, report = crank.run(admission, started)
        desk.seated, desk.reserved_rows = crank.seated, crank.reserved_rows
        self._report(report)  # before anybody hears of it: who has an answer finds it counted
        for sequence in outcome.finished:
            desk.answer(sequence)
        for sequence, error in outcome.failed:
            desk.fail(sequence, error)
        for sequence in outcome.cancelled:
            desk.forget(sequence)
        if crank.dead is not None:
            self._die(crank.dead)

    def _admit(self) -> Admission:
        admission = self._crank.admit(*self._desk.collect())
        joining = admission.joining  # what was chosen to join counts as seated from now on
        self._desk.count(
            queued=self._crank.waiting,
            queued_rows=self._crank.waiting_rows,
            seated=self._crank.seated + len(joining),
            reserved_rows=self._crank.reserved_rows + sum(each.width for each in joining),
        )
        return admission

    def _report(self, report: StepReport) -> None:
        if self._on_step is not None:
            try:
                self._on_step(report)
            except Exception:  # noqa: BLE001 - whoever counts must not stop the work
                _log.exception("on_step failed")

    def _die(self, reason: str) -> None:
        with self._desk.changed:
            self._desk.failure = reason
        self._fail_rest(StepFailed(f"decoding has failed: {reason}"))

    def _fail_rest(self, error: ParleyError) -> int:
        """Fail everybody who is still inside, and count them."""
        unfinished = self._desk.close(error)
        self._crank.give_up()
        return unfinished
