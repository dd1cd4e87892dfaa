"""Numbers on the command line, with both limits in the complaint."""

import argparse
import contextlib
from collections.abc import Callable

__all__ = ["number", "whole"]


def whole(low: int, high: int) -> Callable[[str], int | float]:
    """Reads a whole number from `low` to `high`."""
    return _Range(int, low, high)


def number(low: float, high: float) -> Callable[[str], int | float]:
    """Reads a number from `low` to `high`."""
    return _Range(float, low, high)


class _Range:
    # What argparse calls with the text.
    def __init__(self, kind: type[int | float], low: float, high: float) -> None:
        self._kind, self._low, self._high = kind, low, high

    def __call__(self, text: str) -> int | float:
        with contextlib.suppress(ValueError):
            value = self._kind(text)
            if self._low <= value <= self._high:
                return value
        whole = "a whole number " if self._kind is int else ""
        raise argparse.ArgumentTypeError(
            f"must be {whole}from {self._low:g} to {self._high:g}, not {text!r}"
        )
