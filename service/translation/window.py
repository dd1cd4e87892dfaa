"""How many sentences one call may have in an engine at once.

A call with a thousand sentences would fill the queue that everybody shares. Through a window it
takes its place there little by little, and a queue that is full of its own sentences is no reason
to fail: it waits for one of them to leave.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from service.errors import Overloaded, Unavailable

__all__ = ["Window"]

T = TypeVar("T")


class Window:
    """At most `size` sentences of one call in flight; for one event loop, not thread-safe."""

    def __init__(self, size: int = 256) -> None:
        self._places = asyncio.Semaphore(size)
        self._in_flight: set[asyncio.Future[Any]] = set()

    async def run(self, submit: Callable[[], Future[T]]) -> T:
        """The outcome of what `submit` starts; cancelling this cancels that.

        Raises Overloaded when `submit` does and nothing of this call is in flight, and Unavailable
        when the engine gave up on it.
        """
        async with self._places:
            future = asyncio.wrap_future(await self._admitted(submit))
            self._in_flight.add(future)
            try:
                return await future
            except asyncio.CancelledError:
                if _being_cancelled():
                    raise
                raise Unavailable("the model was stopped before it could answer") from None
            finally:
                self._in_flight.discard(future)

    async def _admitted(self, submit: Callable[[], Future[T]]) -> Future[T]:
        while True:
            try:
                return submit()
            except Overloaded:
                if not self._in_flight:
                    raise
            await asyncio.wait(self._in_flight, return_when=asyncio.FIRST_COMPLETED)


def _being_cancelled() -> bool:
    """Whether it is this task that was cancelled, and not merely what it waits for."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0
