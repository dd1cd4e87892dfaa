"""The bar of a run: work counted in seconds of a usual core, so that its parts weigh what they
cost.
"""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Self

from tqdm import tqdm

__all__ = ["Bar"]


class Bar:
    """A bar on a terminal; a line for each finished part everywhere."""

    def __init__(self, total: float) -> None:
        self._total = total
        self._bar = tqdm(
            total=total,
            disable=None,  # only on a terminal
            miniters=0,  # fractions of a second are steps too
            dynamic_ncols=True,
            bar_format="{percentage:3.0f}%|{bar}| {elapsed} of about {desc}{postfix}",
            file=sys.stderr,
        )
        self._bar.set_description_str("?", refresh=False)

    def advance(self, seconds: float) -> None:
        """So many seconds' worth of work are done."""
        self._bar.update(seconds)
        rate = self._bar.format_dict["elapsed"] / max(self._bar.n, 1e-9)
        self._bar.set_description_str(tqdm.format_interval(rate * self._total), refresh=False)

    def now(self, what: str) -> None:
        self._bar.set_postfix_str(what)

    def say(self, line: str) -> None:
        """One line for people, which does not tear the bar."""
        tqdm.write(line, file=sys.stderr)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.close()
