"""Batching per request, on the same stepper: what continuous batching is compared with.

What waits is taken as one batch; nobody joins it, and its answers are given when all of it is done,
as by a dynamic batcher in front of a whole translation. `StaticSearch` also steps every row until
the longest is done; the engine's own `decode` in its place lets finished rows leave.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future

import numpy as np

from service.decoding import DecodeRequest, StepInput, Stepper

Decode = Callable[[Sequence[DecodeRequest]], object]


class StaticSearch:
    """Greedy search in which a batch stays as it is until all of it is done."""

    def __init__(self, stepper: Stepper) -> None:
        self._stepper = stepper

    def decode(self, requests: Sequence[DecodeRequest]) -> np.ndarray:
        """The tokens [request, step] of a batch; those beyond a request's length mean nothing."""
        stepper = self._stepper
        stepper.reset()
        stepper.join([each.source for each in requests])
        rows_R = np.arange(len(requests))
        tokens_R = np.full(len(requests), stepper.bos_id)
        shortest_R = np.array([each.min_length for each in requests])
        found = []
        for step in range(max(each.max_length for each in requests)):
            work = StepInput(
                tokens_R=tokens_R, sources_R=rows_R, parents_R=None, kept_B=None, top_k=2
            )
            ids_RK = stepper.step(work).ids_RK
            too_early_R = (ids_RK[:, 0] == stepper.eos_id) & (step < shortest_R)
            tokens_R = np.where(too_early_R, ids_RK[:, 1], ids_RK[:, 0])
            found.append(tokens_R)
        stepper.reset()
        return np.stack(found, axis=1)


class StaticBatches:
    """Takes at most `most` waiting requests at a time through `decode`, in a thread of its own."""

    def __init__(self, decode: Decode, most: int) -> None:
        self._decode = decode
        self._most = most
        self._waiting: list[tuple[DecodeRequest, Future[None]]] = []
        self._changed = threading.Condition()
        self._over = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Start the thread, on the cores of the caller."""
        self._thread.start()

    def submit(self, request: DecodeRequest) -> Future[None]:
        """Queue a request; the future is done when its whole batch is."""
        future: Future[None] = Future()
        with self._changed:
            self._waiting.append((request, future))
            self._changed.notify()
        return future

    def stop(self) -> None:
        """Finish what waits, and end."""
        with self._changed:
            self._over = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while batch := self._next():
            self._decode([request for request, _ in batch])
            for _, future in batch:
                future.set_result(None)

    def _next(self) -> list[tuple[DecodeRequest, Future[None]]]:
        with self._changed:
            while not (self._waiting or self._over):
                self._changed.wait()
            batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
            return batch
