"""The shell: futures, refusals at the door, stopping, dying."""

import logging
import threading
from concurrent.futures import CancelledError, Future
from contextlib import suppress

import pytest

from service.decoding import (
    DecodeRequest,
    DecodeResult,
    Engine,
    EngineLimits,
    StepFailed,
    StepInput,
    StepOutput,
    StepReport,
)
from service.decoding.scripted import ScriptedStepper, copying
from service.errors import DeadlineExceeded, InvalidArgument, Overloaded, Unavailable
from tests.support.decoding import ManualClock, arbitrary_stepper

EOS = 2
PATIENCE = 30.0  # seconds after which a test that waits for a thread has failed


def request(*tokens: int, **options: object) -> DecodeRequest:
    fields = {"source": (*tokens, EOS), "max_length": 20} | options
    return DecodeRequest(**fields)  # type: ignore[arg-type]  # fields of the dataclass


class Gated(ScriptedStepper):
    """Steps when the test lets it."""

    def __init__(self) -> None:
        super().__init__(copying(50))
        self.waiting = threading.Event()
        self.gate = threading.Semaphore(0)
        self.error: Exception | None = None

    def step(self, work: StepInput) -> StepOutput:
        self.waiting.set()
        assert self.gate.acquire(timeout=PATIENCE)
        if self.error is not None:
            raise self.error
        return super().step(work)

    def open(self) -> None:
        """Let everything pass from now on."""
        self.gate.release(100_000)


def test_a_submitted_request_is_answered() -> None:
    engine = Engine(ScriptedStepper(copying(50)))
    engine.start()

    assert (5, 6) == engine.submit(request(5, 6)).result(PATIENCE).best.tokens
    assert engine.stop(drain_seconds=PATIENCE)


def test_what_comes_before_the_start_waits_for_it() -> None:
    engine = Engine(ScriptedStepper(copying(50)))
    future = engine.submit(request(5))
    engine.start()

    assert (5,) == future.result(PATIENCE).best.tokens
    engine.stop()


def test_decode_answers_in_order_with_and_without_a_thread() -> None:
    requests = [request(*range(3, 3 + n)) for n in (9, 1, 5, 3)]
    engine = Engine(ScriptedStepper(copying(50)), EngineLimits(max_queue=2))
    without = [result.best.tokens for result in engine.decode(requests)]
    engine.start()
    through = [result.best.tokens for result in engine.decode(requests)]
    engine.stop()

    assert [r.source[:-1] for r in requests] == without == through


def test_a_full_queue_refuses_and_says_when_to_come_back() -> None:
    engine = Engine(ScriptedStepper(copying(50)), EngineLimits(max_queue=2))
    engine.submit(request(5))
    engine.submit(request(5))

    with pytest.raises(Overloaded, match="2 of at most 2") as caught:
        engine.submit(request(5))

    assert caught.value.retry_after_s > 0
    assert 2 == engine.queue_depth


def test_a_deadline_in_the_past_is_refused() -> None:
    engine = Engine(ScriptedStepper(copying(50)), clock=ManualClock(10.0))

    with pytest.raises(DeadlineExceeded):
        engine.submit(request(5, deadline=10.0))


@pytest.mark.parametrize("limits", [EngineLimits(max_rows=2), EngineLimits(max_sources=2)])
def test_a_deadline_that_the_queue_makes_impossible_is_refused(limits: EngineLimits) -> None:
    clock = ManualClock()

    class Slow(ScriptedStepper):
        def step(self, work: StepInput) -> StepOutput:
            clock.now += 0.1
            return super().step(work)

    engine = Engine(Slow(copying(50)), limits, clock=clock)
    engine.decode([request(5)] * 20)  # two rows a 0.2 s
    for _ in range(10):
        engine.submit(request(5))

    with pytest.raises(Overloaded, match="deadline") as caught:
        engine.submit(request(5, deadline=clock.now + 0.3))

    assert 0.9 == pytest.approx(caught.value.retry_after_s, rel=0.01)
    engine.submit(request(5, deadline=clock.now + 1.5))


def test_under_twice_the_load_that_can_be_borne_whoever_is_let_in_is_answered_in_time() -> None:
    clock, seats, step_seconds, patience = ManualClock(), 8, 0.01, 1.0
    capacity = seats / (6 * step_seconds)  # five tokens and an end
    arrivals = [each / (2 * capacity) for each in range(round(20 * capacity))]
    admitted: list[Future[DecodeResult]] = []
    all_came = threading.Event()

    class Besieged(ScriptedStepper):
        """Callers come while it steps."""

        def step(self, work: StepInput) -> StepOutput:
            clock.now += step_seconds
            while arrivals and arrivals[0] <= clock.now:
                due = arrivals.pop(0) + patience
                with suppress(Overloaded):
                    admitted.append(engine.submit(request(*range(5, 10), deadline=due)))
            if not arrivals:
                all_came.set()
            return super().step(work)

    limits = EngineLimits(max_sources=seats, max_rows=seats)
    engine = Engine(Besieged(copying(50)), limits, clock=clock)
    engine.submit(request(5))
    engine.start()
    assert all_came.wait(PATIENCE)
    assert engine.stop(drain_seconds=PATIENCE)

    assert not any(each.exception() for each in admitted)
    assert len(admitted) == pytest.approx(10 * capacity, rel=0.1)


@pytest.mark.parametrize(
    ("impossible", "field"),
    [
        (request(5, beam=9), "beam"),
        (request(*[5] * 32), "source"),
        (request(5, alignments=True), "alignments"),
        (request(5, coverage_penalty=0.1), "coverage_penalty"),
    ],
)
def test_what_can_never_run_here_is_refused(impossible: DecodeRequest, field: str) -> None:
    blind = ScriptedStepper(copying(50), attend=False)
    engine = Engine(blind, EngineLimits(max_rows=8, max_positions=32))

    for ask in (engine.submit, lambda each: engine.decode([each])):
        with pytest.raises(InvalidArgument) as caught:
            ask(impossible)
        assert field == caught.value.field


def test_a_cancelled_request_leaves_and_its_neighbour_stays() -> None:
    reports: list[StepReport] = []
    stepper = Gated()
    engine = Engine(stepper, on_step=reports.append)
    engine.start()
    neighbour, doomed = engine.submit(request(5, 6, 7)), engine.submit(request(5, 6, 7, 8))
    assert stepper.waiting.wait(PATIENCE)
    assert doomed.cancel()
    stepper.open()

    assert (5, 6, 7) == neighbour.result(PATIENCE).best.tokens
    with pytest.raises(CancelledError):
        doomed.result()
    assert engine.stop(drain_seconds=PATIENCE)
    assert 1 == sum(report.cancelled for report in reports)
    assert 0 == engine.live_rows == engine.queue_depth


def test_stopping_drains_what_is_inside_and_refuses_what_is_not() -> None:
    stepper = Gated()
    engine = Engine(stepper)
    engine.start()
    future = engine.submit(request(5, 6, 7))
    assert stepper.waiting.wait(PATIENCE)
    drained: list[bool] = []
    stopping = threading.Thread(target=lambda: drained.append(engine.stop(PATIENCE)))
    stopping.start()
    with suppress(Overloaded):
        while True:  # until the stop has been noticed
            try:
                engine.submit(request(5))
            except Unavailable:
                break
    stepper.open()
    stopping.join(PATIENCE)

    assert [True] == drained
    assert (5, 6, 7) == future.result(0).best.tokens
    assert not engine.healthy


def test_stopping_fails_what_does_not_finish_in_time() -> None:
    stepper, clock = Gated(), ManualClock()
    engine = Engine(stepper, clock=clock)
    engine.start()
    future = engine.submit(request(5, 6, 7))
    assert stepper.waiting.wait(PATIENCE)
    drained: list[bool] = []
    stopping = threading.Thread(target=lambda: drained.append(engine.stop(1.0)))
    stopping.start()
    while engine.accepting:
        pass
    clock.now = 2.0
    stepper.open()
    stopping.join(PATIENCE)

    assert [False] == drained
    with pytest.raises(Unavailable):
        future.result(0)


def test_stopping_twice_or_without_a_start_is_no_error() -> None:
    engine = Engine(ScriptedStepper(copying(50)))
    future = engine.submit(request(5))

    assert not engine.stop()
    assert engine.stop()
    with pytest.raises(Unavailable):
        future.result(0)


def test_an_engine_starts_once() -> None:
    engine = Engine(ScriptedStepper(copying(50)))
    engine.start()

    with pytest.raises(RuntimeError):
        engine.start()

    engine.stop()


def test_a_dead_engine_says_so_and_keeps_nobody_waiting(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, logger="service.decoding")
    stepper = Gated()
    stepper.error = RuntimeError("broken")
    engine = Engine(stepper, EngineLimits(max_rows=1, max_failures=2))
    futures = [engine.submit(request(5)) for _ in range(4)]
    stepper.open()
    engine.start()

    for future in futures:
        with pytest.raises(StepFailed):
            future.result(PATIENCE)
    assert not engine.healthy
    assert "2 decoding steps failed in a row" == engine.failure
    with pytest.raises(Unavailable, match="2 decoding steps"):
        engine.submit(request(5))
    engine.stop()


def test_a_defect_in_the_engine_keeps_nobody_waiting(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, logger="service.decoding")

    class Nonsense(ScriptedStepper):
        def step(self, work: StepInput) -> StepOutput:
            return None  # type: ignore[return-value]  # what a broken stepper does

    engine = Engine(Nonsense(copying(50)))
    future = engine.submit(request(5))
    engine.start()

    with pytest.raises(StepFailed):
        future.result(PATIENCE)
    assert not engine.healthy
    engine.stop()


def test_who_counts_cannot_stop_the_work(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, logger="service.decoding")

    def miscount(_: StepReport) -> None:
        raise ZeroDivisionError

    [result] = Engine(ScriptedStepper(copying(50)), on_step=miscount).decode([request(5)])

    assert (5,) == result.best.tokens


def test_seats_and_queue_are_told_apart() -> None:
    stepper = Gated()
    engine = Engine(stepper, EngineLimits(max_rows=4))
    futures = [engine.submit(request(5, beam=4)) for _ in range(3)]
    assert (3, 0) == (engine.queue_depth, engine.live_rows)
    engine.start()
    assert stepper.waiting.wait(PATIENCE)

    assert (2, 4) == (engine.queue_depth, engine.live_rows)
    stepper.open()
    for future in futures:
        future.result(PATIENCE)
    engine.stop()


def test_an_engine_finds_its_stepper_clean() -> None:
    """Whatever the stepper was used for before is forgotten."""
    stepper = arbitrary_stepper()
    stepper.join([(9, 9, EOS)])

    [result] = Engine(stepper).decode([request(5)])

    [expected] = Engine(arbitrary_stepper()).decode([request(5)])
    assert expected.hypotheses == result.hypotheses


def test_decode_without_a_thread_ends_too_when_the_model_is_broken(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.CRITICAL, logger="service.decoding")
    stepper = Gated()
    stepper.error = RuntimeError("broken")
    stepper.open()
    engine = Engine(stepper, EngineLimits(max_rows=1, max_failures=2))

    with pytest.raises(StepFailed):
        engine.decode([request(5)] * 5)

    assert not engine.healthy
