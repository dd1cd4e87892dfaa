"""What happened, noted in passing and counted by and by.

To count a call or a step takes tens of microseconds where the caches hold something else, as they
do just then; to note it takes one. Many at once are counted quickly.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

__all__ = ["Notes"]

log = logging.getLogger(__name__)

T = TypeVar("T")

_MOST = 256  # that wait: they are kept in memory, and counting them is a pause for somebody


class Notes(Collector):
    """Facts that wait to be counted; any thread may add some.

    Registered first, it has everything counted whenever somebody collects the registry.
    """

    def __init__(self) -> None:
        self._waiting: deque[tuple[Callable[[Any], None], Any]] = deque()
        self._counting = threading.Lock()

    def add(self, count: Callable[[T], None], facts: T) -> None:
        """Have `count` called with `facts`, before the next look and in order."""
        self._waiting.append((count, facts))
        if len(self._waiting) >= _MOST and self._counting.acquire(blocking=False):
            try:
                self._count()
            finally:
                self._counting.release()

    def collect(self) -> Iterator[Metric]:
        """Count what waits. There is nothing to see here."""
        with self._counting:
            self._count()
        return iter(())

    def _count(self) -> None:
        for _ in range(len(self._waiting)):  # and not what comes meanwhile, perhaps for ever
            count, facts = self._waiting.popleft()
            try:
                count(facts)
            except Exception:
                # It is no fault of whoever adds the next note, or looks.
                log.exception("counting failed")
