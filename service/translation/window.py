"""How many sentences one call may have in an engine at once, and how their results come back.

A call with a thousand sentences would fill the queue that everybody shares. Through a window it
takes its place there little by little, and a queue that is full of its own sentences is no reason
to fail: it waits for one of them to leave. A call fails as a whole: once one sentence has failed,
no other is begun.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from service.errors import Overloaded, Unavailable

__all__ = ["Window", "forwarded", "outcome"]

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
            future = forwarded(await self._admitted(submit))
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


class _Post:
    """Carries results to an event loop: whatever has finished when it looks costs one wake-up.

    `asyncio.wrap_future` would wake the loop for every sentence, of which many finish in one step.
    It does not hold on to its loop, which would keep both for ever.
    """

    def __init__(self) -> None:
        self._letters: deque[tuple[Future[Any], asyncio.Future[Any]]] = deque()
        self._rung = False

    def bring(self, done: Future[Any], waiting: asyncio.Future[Any]) -> None:
        """Take a result, in any thread."""
        loop = waiting.get_loop()
        self._letters.append((done, waiting))
        if not self._rung and not loop.is_closed():
            self._rung = True
            loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        self._rung = False  # before the first look: a letter that comes now rings again
        while self._letters:
            done, waiting = self._letters.popleft()
            if waiting.done():
                continue
            if done.cancelled():
                waiting.cancel()
            elif (error := done.exception()) is not None:
                waiting.set_exception(error)
            else:
                waiting.set_result(done.result())


_posts: "WeakKeyDictionary[asyncio.AbstractEventLoop, _Post]" = WeakKeyDictionary()


def forwarded(future: Future[T]) -> asyncio.Future[T]:
    """The same for the running event loop; cancelling either cancels the other."""
    loop = asyncio.get_running_loop()
    post = _posts.get(loop)
    if post is None:
        post = _posts[loop] = _Post()
    waiting: asyncio.Future[T] = loop.create_future()
    future.add_done_callback(lambda done: post.bring(done, waiting))
    waiting.add_done_callback(lambda each: future.cancel() if each.cancelled() else None)
    return waiting


async def outcome(future: asyncio.Future[T]) -> T:
    """What became of a sentence. Raises Unavailable when the engine gave it up."""
    try:
        return await future
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise Unavailable("the model was stopped before it could answer") from None
