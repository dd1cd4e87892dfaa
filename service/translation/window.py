"""How many sentences one call may have in an engine at once.

A call with a thousand sentences would fill the queue that everybody shares. Through a window it
takes its place there little by little, and a queue that is full of its own sentences is no reason
to fail: it waits for one of them to leave. A call fails as a whole: once one sentence has failed,
no other is begun.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from service.errors import Overloaded, Unavailable

__all__ = ["Window", "outcome"]

T = TypeVar("T")


class Window:
    """At most `size` sentences of one call in flight; for one event loop, not thread-safe.

    Whoever holds `turn` is the one to begin sentences: texts of a call take turns, in order.
    """

    def __init__(self, size: int = 256) -> None:
        self.turn = asyncio.Lock()
        self._places = asyncio.Semaphore(size)
        self._in_flight: set[asyncio.Future[Any]] = set()
        self._failure: BaseException | None = None

    async def begin(self, submit: Callable[[], Future[T]]) -> asyncio.Future[T]:
        """Wait for a place, then start with `submit`; cancelling the future cancels what it did.

        Raises Overloaded when `submit` does and nothing of this call is in flight, and what an
        earlier sentence of the call has failed with.
        """
        await self._places.acquire()
        try:
            future = asyncio.wrap_future(await self._admitted(submit))
        except BaseException:
            self._places.release()
            raise
        self._in_flight.add(future)
        future.add_done_callback(self._leave)
        return future

    async def _admitted(self, submit: Callable[[], Future[T]]) -> Future[T]:
        while True:
            if self._failure is not None:
                raise self._failure
            try:
                return submit()
            except Overloaded:
                if not self._in_flight:
                    raise
            await asyncio.wait(self._in_flight, return_when=asyncio.FIRST_COMPLETED)

    def _leave(self, future: asyncio.Future[Any]) -> None:
        self._in_flight.discard(future)
        self._places.release()
        if not future.cancelled() and self._failure is None:
            self._failure = future.exception()


async def outcome(future: asyncio.Future[T]) -> T:
    """What became of a sentence. Raises Unavailable when the engine gave it up."""
    try:
        return await future
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise Unavailable("the model was stopped before it could answer") from None
