"""Several calls at once, answers in order, and an orderly end."""

import asyncio
import gc
import threading
from collections.abc import Iterator

import pytest

from service.cli.lines import Line
from service.cli.pipeline import pump


def line(number: int, text: str = "x") -> Line:
    return Line(file="-", number=number, text=text, end="\n", size=len(text) + 1)


class Calls:
    """Answers with the numbers of the lines; later calls are quicker."""

    def __init__(self) -> None:
        self.running = 0
        self.most = 0
        self.batches: list[int] = []

    async def __call__(self, batch: list[Line]) -> list[int]:
        self.batches.append(len(batch))
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await asyncio.sleep(0.02 / len(self.batches))
        finally:
            self.running -= 1
        return [each.number for each in batch]


async def written(groups: Iterator[list[Line]], call, in_flight: int = 8) -> list[int]:
    out: list[int] = []
    await pump(groups, call, lambda batch, answer: out.extend(answer), in_flight)
    return out


async def test_answers_come_in_the_order_of_the_lines_though_calls_overlap():
    calls = Calls()
    groups = ([line(each)] for each in range(30))

    assert list(range(30)) == await written(groups, calls)
    assert calls.most > 1


async def test_no_more_calls_run_than_allowed():
    calls = Calls()
    await written(([line(each)] for each in range(40)), calls, in_flight=2)

    # Two wait in the queue, one for a place in it, one is being awaited.
    assert calls.most <= 4


async def test_lines_that_are_there_together_go_together_up_to_a_limit():
    calls = Calls()
    await written(iter([[line(each) for each in range(70)], [line(70)]]), calls)

    assert [32, 32, 6, 1] == calls.batches


async def test_long_lines_go_alone():
    calls = Calls()
    await written(iter([[line(1), line(2, "x" * 40_000), line(3), line(4)]]), calls)

    assert [1, 1, 2] == calls.batches


async def test_what_was_answered_before_a_failing_call_is_written():
    async def call(batch: list[Line]) -> list[int]:
        if batch[0].number == 3:
            raise ValueError("three")
        await asyncio.sleep(0.01)
        return [batch[0].number]

    out: list[int] = []
    with pytest.raises(ValueError, match="three"):
        await pump(
            ([line(each)] for each in range(9)), call, lambda batch, answer: out.extend(answer)
        )

    assert [0, 1, 2] == out


async def test_what_was_read_before_a_failing_read_is_written():
    def groups() -> Iterator[list[Line]]:
        yield [line(1)]
        raise ValueError("unreadable")

    out: list[int] = []
    with pytest.raises(ValueError, match="unreadable"):
        await pump(groups(), Calls(), lambda batch, answer: out.extend(answer))

    assert [1] == out


async def test_a_failing_write_cancels_the_calls_that_run():
    cancelled: list[int] = []

    async def call(batch: list[Line]) -> list[int]:
        try:
            await asyncio.sleep(0 if batch[0].number == 0 else 3600)
        except asyncio.CancelledError:
            cancelled.append(batch[0].number)
            raise
        return []

    def write(batch: list[Line], answer: list[int]) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        await pump(iter([[line(each)] for each in range(4)]), call, write)
    await asyncio.sleep(0.01)

    assert {1, 2, 3} >= set(cancelled)
    assert 1 == len(asyncio.all_tasks())


async def test_an_answer_does_not_wait_for_more_input():
    """What is typed, or comes from another program, is answered line by line."""
    more, out = threading.Event(), []

    def groups() -> Iterator[list[Line]]:
        yield [line(1)]
        assert more.wait(10)
        yield [line(2)]

    def write(batch: list[Line], answer: list[int]) -> None:
        out.extend(answer)
        more.set()

    await pump(groups(), Calls(), write)

    assert [1, 2] == out


async def test_when_the_reader_leaves_every_call_is_over_and_no_failure_of_one_is_left_unheard():
    """As a client that closes would have them fail, also the one that has no place yet."""
    calls = Calls()
    unheard: list[dict] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unheard.append(context))

    async def fails(batch: list[Line]) -> list[int]:
        await calls(batch)
        if batch[0].number:
            raise RuntimeError("the channel is closed")
        return [0]

    def leave(batch: list[Line], answer: list[int]) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        await pump(([line(each)] for each in range(40)), fails, leave, in_flight=2)

    assert calls.running == 0
    await asyncio.sleep(0.05)
    gc.collect()
    assert [] == unheard
