"""Reading files of a directory that nobody vouches for.

Everything is opened relative to the directory's own descriptor, by plain names, without following
links and without waiting (a pipe would never answer); only regular files are read, and never more
of them than was agreed.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from types import TracebackType
from typing import Self

from service.bundle.errors import BundleError

__all__ = ["Folder"]

_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class Folder:
    """An open directory; use as a context manager."""

    def __init__(self, path: Path) -> None:
        """Open ``path``.

        Raises:
            BundleError: if it is no directory that can be read.
        """
        self.path = path
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
        except OSError as error:
            raise BundleError(path, [_reason(error)]) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        os.close(self._fd)

    def entries(self, limit: int) -> dict[str, str]:
        """Name -> "file", "link", "directory" or "special", for at most ``limit`` + 1 entries."""
        found: dict[str, str] = {}
        with os.scandir(self._fd) as scan:
            for entry in scan:
                found[entry.name] = _kind(entry.stat(follow_symlinks=False).st_mode)
                if len(found) > limit:
                    break
        return found

    def read(self, name: str, *, limit: int) -> bytes:
        """The bytes of a file, if they are at most ``limit``.

        Raises:
            BundleError: with ``path`` = ``name``, if it is missing, no regular file, or larger.
        """
        try:
            fd = os.open(name, _FLAGS, dir_fd=self._fd)
        except OSError as error:
            raise BundleError(name, [_reason(error)]) from None
        with os.fdopen(fd, "rb") as stream:
            facts = os.fstat(fd)
            if not stat.S_ISREG(facts.st_mode):
                raise BundleError(name, ["is not a regular file"])
            if facts.st_size > limit:
                raise BundleError(
                    name, [f"has {facts.st_size} bytes, at most {limit} are expected"]
                )
            try:
                data = stream.read(limit + 1)
            except OSError as error:
                raise BundleError(name, [_reason(error)]) from None
        if len(data) > limit:
            raise BundleError(name, [f"grew past {limit} bytes while it was read"])
        return data


def _kind(mode: int) -> str:
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISLNK(mode):
        return "link"
    return "directory" if stat.S_ISDIR(mode) else "special"


def _reason(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "does not exist"
    if isinstance(error, NotADirectoryError):
        return "is no directory"
    if error.errno == errno.ELOOP:  # what O_NOFOLLOW says of a link
        return "is a symbolic link"
    return error.strerror or str(error)
