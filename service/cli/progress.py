"""A progress bar of one line, for people: drawn on a terminal, silent anywhere else."""

import time
from collections.abc import Callable
from typing import TextIO

__all__ = ["Progress"]

_WIDTH = 24
_SECONDS_BETWEEN = 0.1
_CLEAR_LINE = "\r\x1b[K"


class Progress:
    """How far a run has come: lines, lines a second and, if the whole is known, the time left."""

    def __init__(
        self,
        stream: TextIO,
        total_bytes: int | None,
        *,
        visible: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = stream
        self._total = total_bytes
        self._visible = visible
        self._clock = clock
        self._start = clock()
        self._drawn = float("-inf")
        self._lines = 0
        self._bytes = 0

    def advance(self, lines: int, size: int) -> None:
        """Another `lines` lines of `size` bytes are done."""
        self._lines += lines
        self._bytes += size
        now = self._clock()
        if self._visible and now - self._drawn >= _SECONDS_BETWEEN:
            self._drawn = now
            self._stream.write(f"\r{self.text(now)}\x1b[K")
            self._stream.flush()

    def close(self) -> None:
        """Take the bar away, so that what follows starts on a clean line."""
        if self._visible and self._lines:
            self._stream.write(_CLEAR_LINE)
            self._stream.flush()

    def text(self, now: float) -> str:
        """The bar as it is at the time `now`, in seconds of the clock."""
        seconds = max(now - self._start, 1e-9)
        facts = f"{self._lines} lines, {self._lines / seconds:.1f} lines/s"
        if not self._total:
            return facts
        share = min(self._bytes / self._total, 1.0)
        bar = "#" * round(share * _WIDTH)
        left = round(seconds * (1 - share) / share) if share else 0
        return f"{share:4.0%} |{bar:<{_WIDTH}}| {facts}, {left // 60}:{left % 60:02d} left"
