"""Load is made in the pattern that was asked for, and no stall can hide."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from service.client import CallFailed, Load, Record, Report, apply_load
from service.client.report import percentile


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in which waiting takes no time: its clock jumps to the next thing to do."""

    now = 0.0

    def time(self) -> float:
        return self.now

    def _run_once(self) -> None:
        if not self._ready and self._scheduled:
            self.now = max(self.now, self._scheduled[0].when())
        super()._run_once()


def under(load: Load, ask: Callable[[int], Awaitable[object]]) -> Record:
    """What came of a load, in virtual time."""
    record = Record()
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(apply_load(ask, load, record))
    return record


def report(record: Record, load: Load, texts_per_call: int = 1) -> Report:
    return Report.of(record, now=0.0, seconds=load.seconds, texts_per_call=texts_per_call)


async def quick(_number: int) -> None:
    await asyncio.sleep(0.125)


def test_each_caller_asks_again_when_it_has_its_answer():
    load = Load(concurrency=3, seconds=1.0)
    record = under(load, quick)

    assert 24 == len(record.calls)
    assert {0.125} == {call.ended - call.began for call in record.calls}
    assert 24.0 == report(record, load).calls_per_second


def test_no_more_calls_are_in_flight_than_there_are_callers():
    waiting = most = 0

    async def ask(_number: int) -> None:
        nonlocal waiting, most
        waiting += 1
        most = max(most, waiting)
        await asyncio.sleep(0.1)
        waiting -= 1

    under(Load(concurrency=5, calls=50), ask)

    assert 5 == most


def test_exactly_so_many_calls_are_measured_as_were_asked_for():
    load = Load(concurrency=4, calls=10, warm_up_seconds=1.0)
    found = report(under(load, quick), load)

    assert 10 == found.calls


def test_calls_are_numbered_so_that_each_can_have_its_own_text():
    numbers = []

    async def ask(number: int) -> None:
        numbers.append(number)

    under(Load(rate=10.0, calls=20), ask)

    assert list(range(20)) == numbers


def test_open_loop_arrivals_are_as_many_as_the_rate_says_and_come_at_random():
    record = under(Load(rate=100.0, seconds=100.0), quick)
    gaps = [b.meant - a.meant for a, b in zip(record.calls, record.calls[1:], strict=False)]
    mean = sum(gaps) / len(gaps)
    spread = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5

    assert 10_000 == pytest.approx(len(record.calls), rel=0.05)
    assert mean == pytest.approx(spread, rel=0.05)  # as the exponential distribution has it


def test_the_same_seed_gives_the_same_arrivals():
    first, second = (under(Load(rate=50.0, seconds=5.0, seed=7), quick) for _ in range(2))

    assert first.calls == second.calls


def test_a_stall_is_seen_by_every_call_that_would_have_met_it():
    """The server stands still for a second: in an open loop at 100/s, a hundred users notice."""
    stalled = asyncio.Lock()

    async def ask(number: int) -> None:
        async with stalled:
            await asyncio.sleep(1.0 if number == 200 else 0.0)

    record = under(Load(rate=100.0, seconds=10.0), ask)
    met = [call for call in record.calls if call.ended - call.meant > 0.1]

    assert 90 == pytest.approx(len(met), abs=30)


def test_a_caller_that_is_late_itself_counts_from_when_it_should_have_called():
    """The loop is blocked, as by a slow caller: later calls begin late, and say so."""

    async def ask(number: int) -> None:
        if number == 0:
            asyncio.get_running_loop().now += 2.0

    load = Load(rate=100.0, seconds=1.0)
    record = under(load, ask)
    found = report(record, load)

    assert record.calls[1].ended - record.calls[1].meant > 1.9
    assert found.latency.p50 > 1000
    assert found.worst_lag_ms > 1900


def test_failures_are_counted_by_code_and_have_no_part_in_latency_or_throughput():
    async def ask(number: int) -> None:
        await asyncio.sleep(0.125)
        if number % 4 == 3:
            raise CallFailed("full", code="RESOURCE_EXHAUSTED", retry_after_s=1.0)
        if number == 0:
            raise CallFailed("late", code="DEADLINE_EXCEEDED")

    load = Load(rate=8.0, calls=100)
    found = report(under(load, ask), load)

    assert {"RESOURCE_EXHAUSTED": 25, "DEADLINE_EXCEEDED": 1} == found.errors
    assert 100 == found.calls
    assert 125.0 == pytest.approx(found.latency.max)
    assert 74 == pytest.approx(found.calls_per_second * found.seconds)


def test_a_caller_rests_after_a_failure():
    async def ask(_number: int) -> None:
        raise CallFailed("nobody there", code="UNAVAILABLE")

    load = Load(concurrency=1, seconds=1.0)
    record = under(load, ask)

    assert 20 == pytest.approx(len(record.calls), abs=1)
    assert report(record, load).latency is None


def test_the_warm_up_is_not_measured():
    async def ask(number: int) -> None:
        await asyncio.sleep(5.0 if number == 0 else 0.5)

    load = Load(concurrency=1, seconds=10.0, warm_up_seconds=5.0)
    found = report(under(load, ask), load)

    assert (20, 500.0, 10.0) == (found.calls, found.latency.max, found.seconds)


def test_answers_after_the_end_have_a_latency_but_no_part_in_the_throughput():
    async def ask(_number: int) -> None:
        await asyncio.sleep(3.0)

    load = Load(concurrency=1, seconds=4.0)
    found = report(under(load, ask), load)

    assert (2, 3000.0, 0.25) == (found.calls, found.latency.max, found.calls_per_second)


def test_texts_are_counted_beside_calls():
    load = Load(concurrency=1, seconds=1.0)
    found = report(under(load, quick), load, texts_per_call=4)

    assert (8.0, 32.0) == (found.calls_per_second, found.texts_per_second)


def test_what_is_interrupted_leaves_its_calls_behind():
    record = Record()

    async def interrupted() -> None:
        task = asyncio.create_task(apply_load(quick, Load(concurrency=2, calls=10**6), record))
        await asyncio.sleep(1.0625)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(interrupted())
    found = Report.of(record, now=1.0625, seconds=None, texts_per_call=1)

    assert 16 == found.calls
    assert 125.0 == found.latency.p99


def test_a_load_without_an_end_is_refused():
    with pytest.raises(ValueError, match="must end"):
        Load(concurrency=1)


@pytest.mark.parametrize(
    ("share", "expected"), [(0.5, 50), (0.9, 90), (0.99, 99), (0.999, 100), (1.0, 100), (0.07, 7)]
)
def test_a_percentile_is_the_least_value_that_so_many_do_not_exceed(share, expected):
    assert expected == percentile(range(1, 101), share)


def test_a_percentile_of_one_value_is_that_value():
    assert 3.0 == percentile([3.0], 0.999)
