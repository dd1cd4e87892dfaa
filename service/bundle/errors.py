"""What can be wrong with a bundle.

ParleyError
└── BundleError     a bundle (or a part of it) cannot be trusted, read or written
"""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike, fspath

from service.errors import ParleyError

__all__ = ["BundleError"]


class BundleError(ParleyError):
    """A bundle is refused; the message lists everything that is wrong with it.

    Attributes:
        path: the bundle, or the file of it, that was refused.
        problems: one sentence for each thing that is wrong.
    """

    def __init__(self, path: str | PathLike[str], problems: Iterable[str]) -> None:
        self.path = fspath(path)
        self.problems = tuple(problems)
        super().__init__(_message(self.path, self.problems))


def _message(path: str, problems: tuple[str, ...]) -> str:
    if len(problems) == 1:
        return f"{path}: {problems[0]}"
    listed = "".join(f"\n  - {problem}" for problem in problems)
    return f"{path}: {len(problems)} problems:{listed}"
