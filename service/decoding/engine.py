"""The thin shell: a lock, a thread that turns the crank, futures for those who wait.

Everything that decides is in `scheduler` and `admission`, everything that runs in `crank`. Any
thread may submit; the crank is touched by the decoding thread alone.
"""

import contextlib
import itertools
import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, InvalidStateError, wait
from time import monotonic

from service.decoding.admission import EngineLimits
from service.decoding.crank import Crank, StepReport
from service.decoding.possible import check_possible
from service.decoding.request import DecodeRequest, DecodeResult
from service.decoding.scheduler import Admission
from service.decoding.sequence import Sequence as Decoding
from service.decoding.stepper import StepFailed, Stepper
from service.errors import DeadlineExceeded, Overloaded, ParleyError, Unavailable

__all__ = ["Engine", "StepReport"]

_log = logging.getLogger(__name__)


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

        self._changed = threading.Condition()  # guards everything below
        self._keys = itertools.count()
        self._futures: dict[int, Future[DecodeResult]] = {}
        self._inbox: list[Decoding] = []
        self._cancelled: set[int] = set()
        self._queued = self._queued_rows = self._seated = self._reserved_rows = 0
        self._accepting = True
        self._stop_at: float | None = None
        self._failure: str | None = None
        self._thread: threading.Thread | None = None
        self._turning = threading.Lock()  # `decode` without a thread: one caller at a time

    @property
    def queue_depth(self) -> int:
        """Requests waiting for a seat."""
        return self._queued

    @property
    def live_rows(self) -> int:
        """Rows set aside for the requests being decoded: the sum of their beam widths."""
        return self._reserved_rows

    @property
    def accepting(self) -> bool:
        """Whether requests may still be submitted."""
        return self._accepting

    @property
    def failure(self) -> str | None:
        """Why the engine is dead; `None` while it lives."""
        return self._failure

    @property
    def healthy(self) -> bool:
        """False once the engine has failed for good, or its thread is gone: load the model anew."""
        alive = self._thread is None or self._thread.is_alive()
        return self._failure is None and alive

    def start(self) -> None:
        """Start the decoding thread. Raises `RuntimeError` the second time."""
        with self._changed:
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
        with self._changed:
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
            with self._changed:
                self._check_alive()
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
        with self._changed:
            self._accepting = False
            if self._stop_at is None:
                self._stop_at = self._clock() + drain_seconds
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
        with self._turning:
            return self._fail_rest(Unavailable("the engine was stopped")) == 0

    # --- at the door, in any thread -------------------------------------------------------------

    def _check_alive(self) -> None:
        if self._failure is not None:
            raise Unavailable(f"decoding has failed: {self._failure}")
        if not self._accepting:
            raise Unavailable("the engine is stopping")

    def _check_room(self, request: DecodeRequest, now: float) -> None:
        self._check_alive()
        expected = self._crank.wait_seconds(
            self._queued + self._seated + 1, self._queued_rows + self._reserved_rows + request.rows
        )
        if self._queued >= self._limits.max_queue:
            raise Overloaded(
                f"the queue is full: {self._queued} of at most {self._limits.max_queue} wait",
                max(expected, 0.05),
            )
        if request.deadline is not None and now + expected >= request.deadline:
            left = request.deadline - now
            raise Overloaded(
                f"the deadline is {left:.3f} s away, the queue {expected:.3f} s long", expected
            )

    def _enter(self, request: DecodeRequest, now: float) -> Future[DecodeResult]:
        key = next(self._keys)
        future: Future[DecodeResult] = Future()
        self._futures[key] = future
        self._inbox.append(self._crank.sequence(key, request, now))
        self._queued += 1
        self._queued_rows += request.rows
        self._changed.notify_all()
        future.add_done_callback(lambda f: self._note_cancel(key) if f.cancelled() else None)
        return future

    def _note_cancel(self, key: int) -> None:
        with self._changed:
            self._cancelled.add(key)
            self._changed.notify_all()

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
        with self._changed:
            while not (self._inbox or self._crank.busy):
                if self._stop_at is not None or self._failure is not None:
                    return False
                self._changed.wait()
            return self._stop_at is None or self._clock() < self._stop_at

    def _turn(self) -> None:
        started = self._clock()
        # A look without the lock: who comes just now is met at the next turn.
        if self._inbox or self._cancelled or self._crank.waiting:
            admission = self._admit()
        else:
            admission = self._crank.admit((), ())
        outcome, report = self._crank.run(admission, started)
        self._seated, self._reserved_rows = self._crank.seated, self._crank.reserved_rows
        self._report(report)  # before anybody hears of it: who has an answer finds it counted
        for sequence in outcome.finished:
            self._answer(sequence)
        for sequence, error in outcome.failed:
            self._fail(sequence, error)
        for sequence in outcome.cancelled:
            self._futures.pop(sequence.key, None)
        if self._crank.dead is not None:
            self._die(self._crank.dead)

    def _admit(self) -> Admission:
        with self._changed:
            arrivals, self._inbox = self._inbox, []
            cancelled, self._cancelled = self._cancelled, set()
        admission = self._crank.admit(arrivals, cancelled)
        with self._changed:
            # What was chosen to join counts as seated from now on.
            joining = sum(s.width for s in admission.joining)
            self._queued = self._crank.waiting + len(self._inbox)
            self._queued_rows = self._crank.waiting_rows + sum(s.width for s in self._inbox)
            self._seated = self._crank.seated + len(admission.joining)
            self._reserved_rows = self._crank.reserved_rows + joining
        return admission

    def _report(self, report: StepReport) -> None:
        if self._on_step is not None:
            try:
                self._on_step(report)
            except Exception:  # noqa: BLE001 - whoever counts must not stop the work
                _log.exception("on_step failed")

    def _answer(self, sequence: Decoding) -> None:
        with contextlib.suppress(InvalidStateError):  # cancelled in the meantime
            self._futures.pop(sequence.key).set_result(sequence.result())

    def _fail(self, sequence: Decoding, error: ParleyError) -> None:
        with contextlib.suppress(InvalidStateError):
            self._futures.pop(sequence.key).set_exception(error)

    def _die(self, reason: str) -> None:
        with self._changed:
            self._failure = reason
        self._fail_rest(StepFailed(f"decoding has failed: {reason}"))

    def _fail_rest(self, error: ParleyError) -> int:
        """Fail everybody who is still inside, and count them."""
        with self._changed:
            self._accepting = False
            self._inbox = []
            rest, self._futures = self._futures, {}
            self._queued = self._queued_rows = self._seated = self._reserved_rows = 0
        unfinished = [f for f in rest.values() if not f.done()]
        for future in unfinished:
            with contextlib.suppress(InvalidStateError):
                future.set_exception(error)
        self._crank.give_up()
        return len(unfinished)
