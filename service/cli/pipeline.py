"""Lines in, answers out, in order, with several calls on their way at once.

    reader thread -> groups -> batches -> calls (at most `in_flight`) -> answers in order

What was answered before a failure is written before the failure is raised.
"""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from typing import TypeAlias, TypeVar

from service.cli.lines import Line

__all__ = ["pump"]

T = TypeVar("T")
Batch = list[Line]
_Asked: TypeAlias = tuple[Batch, "asyncio.Future[T]"]

_BATCH_LINES = 32
# A line that is longer than the server takes then stands alone, and the complaint is about it.
_BATCH_CHARS = 30_000
_GROUPS_AHEAD = 4


async def pump(
    groups: Iterable[Batch],
    call: Callable[[Batch], Awaitable[T]],
    write: Callable[[Batch, T], None],
    in_flight: int = 8,
) -> None:
    """Call for every batch of lines, and write what comes back in the order of the lines.

    When it ends early, every call on its way has been cancelled and is over.
    """
    queue: asyncio.Queue[_Asked[T] | None] = asyncio.Queue(in_flight)
    unheard: set[asyncio.Future[T]] = set()
    feeder = asyncio.create_task(_feed(groups, call, queue, unheard))
    try:
        while (item := await queue.get()) is not None:
            batch, answer = item
            write(batch, await answer)
            unheard.remove(answer)
    finally:
        feeder.cancel()
        for answer in unheard:
            answer.cancel()
        await asyncio.gather(feeder, *unheard, return_exceptions=True)


async def _feed(
    groups: Iterable[Batch],
    call: Callable[[Batch], Awaitable[T]],
    queue: "asyncio.Queue[_Asked[T] | None]",
    unheard: "set[asyncio.Future[T]]",
) -> None:
    try:
        async for group in _from_thread(groups):
            for batch in _batches(group):
                answer = asyncio.ensure_future(call(batch))
                unheard.add(answer)
                await queue.put((batch, answer))
        await queue.put(None)
    except Exception as error:  # noqa: BLE001 - handed on, to be raised in its turn
        failed: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        failed.set_exception(error)
        unheard.add(failed)
        await queue.put(([], failed))


def _batches(group: Batch) -> Iterator[Batch]:
    batch: Batch = []
    chars = 0
    for line in group:
        if batch and (len(batch) == _BATCH_LINES or chars + len(line.text) > _BATCH_CHARS):
            yield batch
            batch, chars = [], 0
        batch.append(line)
        chars += len(line.text)
    if batch:
        yield batch


async def _from_thread(items: Iterable[T]) -> AsyncIterator[T]:
    """Iterate in a thread of its own, which is left behind if it waits for input at the end."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[tuple[T] | BaseException | None] = asyncio.Queue()
    room = threading.Semaphore(_GROUPS_AHEAD)

    def hand_on(item: tuple[T] | BaseException | None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody reads any more
            loop.call_soon_threadsafe(queue.put_nowait, item)

    def work() -> None:
        try:
            for item in items:
                room.acquire()
                hand_on((item,))
        except BaseException as error:  # noqa: BLE001 - raised on the loop's side
            hand_on(error)
        else:
            hand_on(None)

    threading.Thread(target=work, daemon=True).start()
    while (item := await queue.get()) is not None:
        if isinstance(item, BaseException):
            raise item
        yield item[0]
        room.release()
