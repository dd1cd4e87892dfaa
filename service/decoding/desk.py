"""Who is inside an engine, and what was promised to them: a lock, an inbox, futures.

The counter between the threads that submit and the one that decodes: everything here may be called
from any of them.
"""

import contextlib
import itertools
import threading
from concurrent.futures import Future, InvalidStateError

from service.decoding.request import DecodeResult
from service.decoding.sequence import Sequence
from service.errors import ParleyError, Unavailable

__all__ = ["Desk"]


class Desk:
    """Takes requests in until it is closed, and gives every one of them its answer.

    `changed` guards all of it: whoever decides by more than one thing here holds it meanwhile.
    """

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.queued = self.queued_rows = self.seated = self.reserved_rows = 0
        self.accepting = True
        self.failure: str | None = None
        self._keys = itertools.count()
        self._futures: dict[int, Future[DecodeResult]] = {}
        self._inbox: list[Sequence] = []
        self._cancelled: set[int] = set()

    @property
    def unanswered(self) -> int:
        """Requests that somebody may still wait for."""
        return len(self._futures)

    @property
    def has_arrivals(self) -> bool:
        """Whether somebody came since `collect`."""
        return bool(self._inbox)

    @property
    def has_news(self) -> bool:
        """Whether somebody came or went since `collect`."""
        return bool(self._inbox or self._cancelled)

    def check_open(self) -> None:
        """Raises `Unavailable` once the desk is closed."""
        if self.failure is not None:
            raise Unavailable(f"decoding has failed: {self.failure}")
        if not self.accepting:
            raise Unavailable("the engine is stopping")

    def key(self) -> int:
        """For the next who enters; keys ascend."""
        return next(self._keys)

    def enter(self, sequence: Sequence) -> Future[DecodeResult]:
        """Take somebody in. Cancelling the future is noted for the next `collect`."""
        key = sequence.key
        future: Future[DecodeResult] = Future()
        with self.changed:
            self._futures[key] = future
            self._inbox.append(sequence)
            self.queued += 1
            self.queued_rows += sequence.width
            self.changed.notify_all()
        future.add_done_callback(lambda f: self._note_cancel(key) if f.cancelled() else None)
        return future

    def collect(self) -> tuple[list[Sequence], set[int]]:
        """Who came, and the keys of those who cancelled, since the last time."""
        with self.changed:
            arrivals, self._inbox = self._inbox, []
            cancelled, self._cancelled = self._cancelled, set()
        return arrivals, cancelled

    def count(self, *, queued: int, queued_rows: int, seated: int, reserved_rows: int) -> None:
        """How many of those who were collected wait, and how many are decoded now."""
        with self.changed:
            self.queued = queued + len(self._inbox)
            self.queued_rows = queued_rows + sum(each.width for each in self._inbox)
            self.seated, self.reserved_rows = seated, reserved_rows

    def answer(self, sequence: Sequence) -> None:
        """Give the result."""
        with contextlib.suppress(InvalidStateError):  # cancelled in the meantime
            self._futures.pop(sequence.key).set_result(sequence.result())

    def fail(self, sequence: Sequence, error: ParleyError) -> None:
        """Give an error."""
        with contextlib.suppress(InvalidStateError):
            self._futures.pop(sequence.key).set_exception(error)

    def forget(self, sequence: Sequence) -> None:
        """Who cancelled has been shown out."""
        self._futures.pop(sequence.key, None)

    def close(self, error: ParleyError) -> int:
        """Take nobody in any more, fail everybody who is still inside, and count them."""
        with self.changed:
            self.accepting = False
            self._inbox = []
            rest, self._futures = self._futures, {}
            self.queued = self.queued_rows = self.seated = self.reserved_rows = 0
        unfinished = [future for future in rest.values() if not future.done()]
        for future in unfinished:
            with contextlib.suppress(InvalidStateError):
                future.set_exception(error)
        return len(unfinished)

    def _note_cancel(self, key: int) -> None:
        with self.changed:
            self._cancelled.add(key)
            self.changed.notify_all()
