"""Chunks cleaned in several processes, answered in the order in which they were read."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import chain, islice
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait

from training.data.cleaning.chunk import ChunkCleaner
from training.data.cleaning.reading import Chunk
from training.data.cleaning.rows import Cleaned, Plan

__all__ = ["clean_chunks"]

_WAITING = 3  # chunks a worker that wait to be cleaned or to be taken


def clean_chunks(
    chunks: Iterable[Chunk], plan: Plan, workers: int
) -> Iterator[tuple[Chunk, Cleaned]]:
    """Every chunk with what it came to.

    One worker, or one chunk, is dealt with in this process.
    """
    chunks = iter(chunks)
    first = list(islice(chunks, 2))
    if workers == 1 or len(first) < 2:
        cleaner = ChunkCleaner(plan)
        for chunk in chain(first, chunks):
            yield chunk, cleaner(chunk)
        return
    # Started afresh and not forked: whoever calls may have threads (torch, a test runner).
    with ProcessPoolExecutor(workers, get_context("spawn"), _begin, (plan,)) as pool:
        waiting: deque[tuple[Chunk, Future[Cleaned]]] = deque()
        try:
            for chunk in chain(first, chunks):
                waiting.append((chunk, pool.submit(_clean, chunk)))
                if len(waiting) >= workers * _WAITING:
                    done, future = waiting.popleft()
                    yield done, future.result()
            while waiting:
                done, future = waiting.popleft()
                yield done, future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _begin(plan: Plan) -> None:
    """Make this process's cleaner, once."""
    # Ctrl-C reaches every process of the terminal; the first one ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _cleaners.append(ChunkCleaner(plan))


def _end_with_parent() -> None:
    """A first process that was killed ends nobody: its workers would wait for work for ever."""
    parent = parent_process()
    assert parent
    wait([parent.sentinel])
    os._exit(1)


def _clean(chunk: Chunk) -> Cleaned:
    return _cleaners[0](chunk)


_cleaners: list[ChunkCleaner] = []  # of this process; empty where no pool has begun it
