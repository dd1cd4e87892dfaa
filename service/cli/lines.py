"""Lines of text files, in groups as they arrive: what is there is handed on before more is awaited.

Bytes are read from the descriptor itself: a thread that waits in Python's buffered stdin would hold
its lock for ever, and the interpreter could not end.
"""

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from service.errors import ParleyError

__all__ = ["InputError", "Line", "read_lines", "total_bytes"]

STDIN = "-"

_CHUNK = 1 << 16
_LONGEST_LINE = 1 << 24
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class InputError(ParleyError):
    """The input cannot be read, or is not UTF-8; the message names the place."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One line without its end; `size` is in bytes with it. `number` counts from 1, per file."""

    file: str
    number: int
    text: str
    end: str
    size: int

    @property
    def place(self) -> str:
        """Where it is, as compilers say it."""
        return f"{_name(self.file)}:{self.number}"

    @property
    def blank(self) -> bool:
        """Whether there is nothing in it to translate."""
        return not self.text or self.text.isspace()


def read_lines(files: Sequence[str]) -> Iterator[list[Line]]:
    """The lines of all `files` ("-" is stdin), never an empty group.

    Raises InputError, after the lines before the culprit have been handed on.
    """
    for file in files:
        number = 0
        try:
            for raws in _raw_lines(file):
                group: list[Line] = []
                try:
                    for raw in raws:
                        number += 1
                        group.append(_line(file, number, raw))
                except InputError:
                    if group:
                        yield group
                    raise
                yield group
        except OSError as error:
            raise InputError(f"{_name(file)}: {error.strerror or error}") from None


def total_bytes(files: Sequence[str]) -> int | None:
    """How much there is to read; None when that cannot be known, as for a pipe."""
    total = 0
    for file in files:
        try:
            info = os.fstat(0) if file == STDIN else Path(file).stat()
        except OSError:
            return None
        if not stat.S_ISREG(info.st_mode):
            return None
        total += info.st_size
    return total


def _raw_lines(file: str) -> Iterator[list[bytes]]:
    """Groups of lines with their ends; the last line of a file may lack one."""
    descriptor = 0 if file == STDIN else os.open(file, os.O_RDONLY)
    try:
        rest = b""
        while chunk := os.read(descriptor, _CHUNK):
            *whole, last = (rest + chunk).split(b"\n") if b"\n" in chunk else (rest + chunk,)
            if whole:
                yield [line + b"\n" for line in whole]
            rest = last
            if len(rest) > _LONGEST_LINE:
                raise InputError(f"{_name(file)}: a line has more than {_LONGEST_LINE} bytes")
        if rest:
            yield [rest]
    finally:
        if descriptor:
            os.close(descriptor)


def _line(file: str, number: int, raw: bytes) -> Line:
    body = raw.removesuffix(b"\n")
    end = "\n"
    if body.endswith(b"\r"):
        body, end = body[:-1], "\r\n"
    if number == 1:
        body = body.removeprefix(_BYTE_ORDER_MARK)
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise InputError(
            f"{_name(file)}:{number}: is not UTF-8: byte 0x{body[error.start]:02x} at column "
            f"{error.start + 1} ({error.reason})"
        ) from None
    return Line(file=file, number=number, text=text, end=end, size=len(raw))


def _name(file: str) -> str:
    return "stdin" if file == STDIN else file
