"""Whole turns without a thread: what fails, what it takes down with it, what is reported."""

import logging

import pytest

from service.decoding import DecodeRequest, EngineLimits, StepFailed, StepInput, StepOutput
from service.decoding.crank import Crank, Outcome, StepReport
from service.decoding.request import Tokens
from service.decoding.scripted import ScriptedStepper, copying
from service.errors import DeadlineExceeded, InvalidArgument
from tests.support.decoding import ManualClock

EOS = 2


class Fragile(ScriptedStepper):
    """Cannot encode a source with token 13, and breaks down when told to."""

    def __init__(self) -> None:
        super().__init__(copying(20))
        self.broken = False

    def join(self, sources: list[Tokens], **told: object) -> None:  # type: ignore[override]  # what it is told besides is passed over
        if any(13 in source for source in sources):
            raise ValueError("secret: 13")
        super().join(sources)

    def step(self, work: StepInput) -> StepOutput:
        if self.broken:
            raise RuntimeError("secret: broken")
        return super().step(work)


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, logger="service.decoding")


@pytest.fixture
def stepper() -> Fragile:
    return Fragile()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def crank(stepper: Fragile, clock: ManualClock) -> Crank:
    return Crank(stepper, EngineLimits(max_failures=2), clock)


def request(*tokens: int, deadline: float | None = None) -> DecodeRequest:
    return DecodeRequest(source=(*tokens, EOS), max_length=9, deadline=deadline)


def turn(crank: Crank, *requests: DecodeRequest, first_key: int = 0) -> tuple[Outcome, StepReport]:
    new = [crank.sequence(first_key + i, each, 0.0) for i, each in enumerate(requests)]
    return crank.run(crank.admit(new, ()), 0.0)


def test_a_source_that_cannot_be_encoded_fails_alone(crank: Crank) -> None:
    outcome, report = turn(crank, request(5), request(13), request(6))

    [(sequence, error)] = outcome.failed
    assert 1 == sequence.key
    assert isinstance(error, StepFailed)
    assert (2, 2, 1) == (report.joined, report.rows, report.failed)


def test_an_error_says_nothing_of_its_cause_to_the_caller(crank: Crank) -> None:
    [(_, error)] = turn(crank, request(13))[0].failed

    assert "secret" not in str(error)
    assert "secret: 13" == str(error.__cause__)


def test_a_failed_encoding_leaves_the_running_batch_alone(crank: Crank) -> None:
    turn(crank, request(5, 6))
    turn(crank, request(13), first_key=1)
    outcome, _ = turn(crank)

    assert [(5, 6)] == [s.hypotheses[0].tokens for s in outcome.finished]


def test_a_failed_step_fails_its_rows_and_the_engine_goes_on(
    crank: Crank, stepper: Fragile
) -> None:
    stepper.broken = True
    outcome, _ = turn(crank, request(5), request(6))
    stepper.broken = False

    assert [0, 1] == [s.key for s, _ in outcome.failed]
    assert crank.dead is None
    turn(crank, request(7), first_key=2)
    outcome, _ = turn(crank)
    assert [(7,)] == [s.hypotheses[0].tokens for s in outcome.finished]


def test_steps_that_keep_failing_are_the_end(crank: Crank, stepper: Fragile) -> None:
    stepper.broken = True
    turn(crank, request(5))
    assert crank.dead is None
    turn(crank, request(5), first_key=1)

    assert "2 decoding steps failed in a row" == crank.dead


def test_who_expires_is_told_so(crank: Crank, clock: ManualClock) -> None:
    turn(crank, request(5, 6, 7, deadline=1.0))
    clock.now = 1.0
    outcome, report = turn(crank)

    [(_, error)] = outcome.failed
    assert isinstance(error, DeadlineExceeded)
    assert (1, 0, 1, 0) == (report.expired, report.failed, report.wasted_rows, report.rows)
    assert not crank.busy


def test_the_report_counts_what_happened(crank: Crank) -> None:
    _, first = turn(crank, request(5), request(5, 6))
    outcome, second = turn(crank)

    assert (2, 2, 2, 0) == (first.joined, first.rows, first.sources, first.finished)
    assert (0, 2, 1, 1) == (second.joined, second.rows, second.finished, second.tokens)
    assert [0] == [s.key for s in outcome.finished]


def test_nothing_is_held_once_nobody_is_left(crank: Crank, stepper: Fragile) -> None:
    turn(crank, request(5), request(5, 6))
    turn(crank)
    assert [(5, 6, EOS)] == stepper.held_sources[1:]
    turn(crank)

    assert [] == stepper.held_sources


def test_a_latecomer_waits_as_long_as_encoding_is_slow(clock: ManualClock) -> None:
    class Slow(ScriptedStepper):
        def join(self, sources: list[Tokens], **told: object) -> None:  # type: ignore[override]  # what it is told besides is passed over
            clock.now += 0.5
            super().join(sources)

    crank = Crank(Slow(copying(20)), EngineLimits(join_patience=2.0), clock)
    turn(crank, request(5, 6, 7, 8), request(5, 6, 7, 8))
    _, alone = turn(crank, request(5), first_key=2)
    clock.now += 1.0
    _, in_time = turn(crank)

    assert (0, 1) == (alone.joined, in_time.joined)


def test_giving_up_leaves_nobody_inside(crank: Crank) -> None:
    turn(crank, request(5), request(6))

    assert [0, 1] == [s.key for s in crank.give_up()]
    assert not crank.busy


def test_bans_that_leave_nothing_to_say_are_the_callers_mistake() -> None:
    """Eight words, none twice, and a text of at least nine: there is none."""
    crank = Crank(ScriptedStepper(copying(9)), EngineLimits(), ManualClock())
    asked = DecodeRequest(source=(5, EOS), max_length=20, min_length=10, no_repeat_ngram=1)
    outcome, _ = crank.run(crank.admit([crank.sequence(0, asked, 0.0)], ()), 0.0)
    while not outcome.failed:
        outcome, _ = crank.run(crank.admit((), ()), 0.0)

    [(_, error)] = outcome.failed
    assert isinstance(error, InvalidArgument)
    assert "no_repeat_ngram" == error.field
