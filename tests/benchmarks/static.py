"""The same engine, batching per request: what continuous batching is compared with.

What waits is taken as one batch; nobody joins it, and its answers are given when all of it is done.
That is how a dynamic batcher in front of a whole translation works. It is the stepper, the search
and the search's own thread of the service; only the joining is different.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future

from service.decoding import DecodeRequest, DecodeResult, Engine


class StaticBatches:
    """Decodes at most `most` waiting requests at a time, in a thread of its own."""

    def __init__(self, engine: Engine, most: int) -> None:
        self._engine = engine
        self._most = most
        self._waiting: list[tuple[DecodeRequest, Future[DecodeResult]]] = []
        self._changed = threading.Condition()
        self._over = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Start the thread, on the cores of the caller."""
        self._thread.start()

    def submit(self, request: DecodeRequest) -> Future[DecodeResult]:
        """Queue a request."""
        future: Future[DecodeResult] = Future()
        with self._changed:
            self._waiting.append((request, future))
            self._changed.notify()
        return future

    def stop(self, _drain_seconds: float = 0.0) -> None:
        """Finish what waits, and end."""
        with self._changed:
            self._over = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while batch := self._next():
            results = self._engine.decode([request for request, _ in batch])
            for (_, future), result in zip(batch, results, strict=True):
                future.set_result(result)

    def _next(self) -> list[tuple[DecodeRequest, Future[DecodeResult]]]:
        with self._changed:
            while not (self._waiting or self._over):
                self._changed.wait()
            batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
            return batch


Submit = Callable[[DecodeRequest], Future[DecodeResult]]
