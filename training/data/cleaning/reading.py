"""Raw corpora in chunks of whole lines: little memory however large the file is."""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import BinaryIO, cast

from training.data.corpus import CorpusError

__all__ = ["Chunk", "Source", "read_chunks", "size_of"]

_CHUNK_BYTES = 1 << 20
_MOST_LINE_BYTES = 16 << 20  # a line longer than this is no sentence, and the file no corpus
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True, slots=True)
class Source:
    """A TSV file, or the two files of a parallel corpus."""

    path: Path
    target: Path | None = None


@dataclass(frozen=True, slots=True)
class Chunk:
    """Whole lines, each ended by a newline, of a TSV file or of two parallel files."""

    file: str
    first_line: int
    left: bytes
    right: bytes | None
    position: int  # how many bytes of all files have been read when this is done


def size_of(sources: Sequence[Source]) -> int:
    """Bytes of all files on disk.

    Raises:
        CorpusError: one of them is not a file.
    """
    total = 0
    for path in _paths(sources):
        if not path.is_file():
            raise CorpusError(f"{path}: " + ("is no file" if path.exists() else "no such file"))
        total += path.stat().st_size
    return total


def read_chunks(sources: Sequence[Source]) -> Iterator[Chunk]:
    """All lines of all sources, in order.

    Raises:
        CorpusError: a file is missing, damaged or not of this kind.
    """
    before = 0
    for source in sources:
        read = 0
        with ExitStack() as stack:
            left = _Lines(stack, source.path)
            right = _Lines(stack, source.target) if source.target else None
            number = 1
            while block := left.block(number):
                count = block.count(b"\n")
                other = right.exactly(count, number) if right else None
                read = left.position + (right.position if right else 0)
                if other is not None and other.count(b"\n") < count:
                    raise _uneven(source, number + other.count(b"\n"))
                yield Chunk(source.path.name, number, block, other, before + read)
                number += count
            if right and right.exactly(1, number):
                raise _uneven(source, number)
        before += read


class _Lines:
    """A file as blocks of whole lines, unpacked, without a byte order mark.

    Every line ends in a newline, also the last one.
    """

    def __init__(self, stack: ExitStack, path: Path) -> None:
        self._path = path
        with self._complaints():
            self._raw = stack.enter_context(path.open("rb"))
            packed = gzip.GzipFile(fileobj=self._raw) if path.suffix == ".gz" else None
        self._file = cast(BinaryIO, stack.enter_context(packed) if packed else self._raw)

    @property
    def position(self) -> int:
        return self._raw.tell()

    def block(self, number: int) -> bytes:
        """The next lines, about a megabyte, from line ``number`` on."""
        with self._complaints():
            start = self._file.read(_CHUNK_BYTES)
            return self._checked(start + self._line(number), number)

    def exactly(self, count: int, number: int) -> bytes:
        """The next ``count`` lines, or as many as there are."""
        with self._complaints():
            lines = list(takewhile(bool, (self._line(number + at) for at in range(count))))
        return self._checked(b"".join(lines), number)

    def _line(self, number: int) -> bytes:
        line = self._file.readline(_MOST_LINE_BYTES + 1)
        if len(line) > _MOST_LINE_BYTES:
            raise CorpusError(
                f"{self._path}: a line at or after line {number} has more than "
                f"{_MOST_LINE_BYTES} bytes: this is no file of sentences"
            )
        return line

    def _checked(self, block: bytes, number: int) -> bytes:
        if number == 1:
            if block.startswith(_UTF_16):
                raise CorpusError(
                    f"{self._path}: is UTF-16; make it UTF-8 first: iconv -f UTF-16 -t UTF-8"
                )
            block = block.removeprefix(codecs.BOM_UTF8)
        return block if not block or block.endswith(b"\n") else block + b"\n"

    @contextmanager
    def _complaints(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise CorpusError(f"{self._path}: no such file") from None
        except (OSError, EOFError, zlib.error) as error:  # gzip reports damage as any of them
            raise CorpusError(f"{self._path}: {error}") from None


def _uneven(source: Source, number: int) -> CorpusError:
    return CorpusError(
        f"{source.path} and {source.target} have different numbers of lines "
        f"(one ends before line {number})"
    )


def _paths(sources: Sequence[Source]) -> list[Path]:
    return [path for source in sources for path in (source.path, source.target) if path]
