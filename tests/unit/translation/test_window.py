"""How one call shares an engine with others."""

import asyncio
import gc
import weakref
from concurrent.futures import Future

import pytest

from service.errors import DeadlineExceeded, Overloaded, Unavailable
from service.translation import Window
from service.translation.window import forwarded, outcome


class Queue:
    """An engine that takes `room` sentences and answers when told to."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.waiting: list[Future[str]] = []
        self.most = 0

    def submit(self) -> Future[str]:
        if len(self.waiting) >= self.room:
            raise Overloaded("the queue is full", retry_after_s=0.5)
        future: Future[str] = Future()
        self.waiting.append(future)
        self.most = max(self.most, len(self.waiting))
        return future

    def answer(self) -> None:
        self.waiting.pop(0).set_result("done")


async def run(window: Window, queue: Queue) -> str:
    """What a text does for each of its sentences."""
    return await outcome(await window.begin(queue.submit))


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_no_more_than_its_size_is_in_flight():
    queue, window = Queue(room=100), Window(size=3)
    tasks = [asyncio.create_task(run(window, queue)) for _ in range(10)]
    for _ in range(10):
        await settle()
        queue.answer()

    assert ["done"] * 10 == await asyncio.gather(*tasks)
    assert 3 == queue.most


async def test_a_queue_full_of_its_own_sentences_is_waited_for():
    queue, window = Queue(room=2), Window(size=8)
    tasks = [asyncio.create_task(run(window, queue)) for _ in range(5)]
    for _ in range(5):
        await settle()
        queue.answer()

    assert ["done"] * 5 == await asyncio.gather(*tasks)


async def test_a_queue_full_of_others_is_an_error():
    with pytest.raises(Overloaded):
        await Window().begin(Queue(room=0).submit)


async def test_cancelling_takes_the_sentence_out_of_the_engine():
    queue = Queue(room=1)
    task = asyncio.create_task(run(Window(), queue))
    await settle()
    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()
    assert queue.waiting[0].cancelled()


async def test_an_engine_that_gives_up_is_unavailable_and_no_cancellation_of_the_caller():
    queue = Queue(room=1)
    task = asyncio.create_task(run(Window(), queue))
    await settle()
    queue.waiting[0].cancel()

    with pytest.raises(Unavailable):
        await task


async def test_after_a_failure_no_other_sentence_is_begun():
    queue, window = Queue(room=9), Window(size=1)
    first = asyncio.create_task(run(window, queue))
    second = asyncio.create_task(run(window, queue))
    await settle()
    queue.waiting[0].set_exception(DeadlineExceeded())

    for task in (first, second):
        with pytest.raises(DeadlineExceeded):
            await task
    assert 1 == len(queue.waiting)


async def test_a_place_is_free_again_when_nothing_could_be_begun():
    window = Window(size=1)
    for _ in range(3):
        with pytest.raises(Overloaded):
            await window.begin(Queue(room=0).submit)


async def test_what_finishes_together_wakes_the_loop_once(monkeypatch: pytest.MonkeyPatch):
    loop = asyncio.get_running_loop()
    rung: list[object] = []
    ring = loop.call_soon_threadsafe
    monkeypatch.setattr(
        loop, "call_soon_threadsafe", lambda *call, **context: rung.append(ring(*call, **context))
    )
    done: list[Future[int]] = [Future() for _ in range(5)]
    waiting = [forwarded(each) for each in done]
    for number, each in enumerate(done):
        each.set_result(number)

    assert [0, 1, 2, 3, 4] == await asyncio.gather(*waiting)
    assert 1 == len(rung)
    late: Future[int] = Future()
    later = forwarded(late)
    late.set_result(9)
    assert 9 == await later


async def test_results_come_from_other_threads_whatever_they_are():
    right, wrong, given_up = (Future[int]() for _ in range(3))
    waiting = [forwarded(each) for each in (right, wrong, given_up)]

    def finish() -> None:
        right.set_result(1)
        wrong.set_exception(DeadlineExceeded())
        given_up.cancel()

    await asyncio.to_thread(finish)
    found = await asyncio.gather(*waiting, return_exceptions=True)

    assert 1 == found[0]
    assert [DeadlineExceeded, asyncio.CancelledError] == [type(each) for each in found[1:]]


async def test_who_no_longer_waits_does_not_keep_others_from_their_results():
    first, second = Future[int](), Future[int]()
    gone, waiting = forwarded(first), forwarded(second)
    gone.cancel()
    second.set_result(2)

    assert 2 == await waiting
    assert first.cancelled()


def test_a_loop_that_has_ended_is_let_go():
    async def receive() -> weakref.ref[asyncio.AbstractEventLoop]:
        done: Future[int] = Future()
        waiting = forwarded(done)
        done.set_result(1)
        await waiting
        return weakref.ref(asyncio.get_running_loop())

    ended = asyncio.run(receive())
    gc.collect()

    assert ended() is None
