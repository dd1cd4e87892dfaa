"""The directory that results go to: all of them appear, or none.

Files are written into a temporary directory beside their place and renamed when all is done; a
report comes last, and says that the rest is there.
"""

from __future__ import annotations

import gzip
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from training.data.corpus import CorpusError

__all__ = ["FILES", "REPORT", "open_packed", "output_directory"]

REPORT = "report.json"
# A third of the time of the usual 6, for files larger by a fifteenth: all of it is one core's work.
_LEVEL = 4
FILES = ("train.tsv.gz", "dev.tsv.gz", "test.tsv.gz", "dropped.tsv.gz", REPORT)


@contextmanager
def output_directory(out: Path, *, overwrite: bool) -> Iterator[Path]:
    """A temporary directory whose FILES are in ``out`` after the block, unless it raises.

    Raises:
        CorpusError: one of FILES is there already and may not be overwritten.
    """
    there = [name for name in FILES if (out / name).exists()]
    if there and not overwrite:
        raise CorpusError(
            f"{out} holds {', '.join(there)} already; name another directory with --out, "
            "or add --overwrite"
        )
    ours = not out.exists()
    out.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".preparing-", dir=out))
    try:
        yield work
        # Whoever is interrupted from here on leaves no report beside files of two runs.
        for name in (REPORT, *(each for each in FILES if not (work / each).exists())):
            (out / name).unlink(missing_ok=True)
        for name in FILES:  # the report is the last of them
            if (work / name).exists():
                _sync(work / name)
                (work / name).replace(out / name)
        _sync(out)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        if ours and not any(out.iterdir()):
            out.rmdir()
        raise
    shutil.rmtree(work, ignore_errors=True)


@contextmanager
def open_packed(path: Path) -> Iterator[BinaryIO]:
    """A gzip file to write; the same content gives the same bytes."""
    with (
        path.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", compresslevel=_LEVEL, fileobj=raw, mtime=0) as packed,
    ):
        yield cast(BinaryIO, packed)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
