"""Reading parallel text: bad lines are dropped, counted and explained, and never stop a run."""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from training.config import DataConfig
from training.data.dates import date_pairs
from training.data.reber import reber_pairs
from training.data.strings import ANSWERS, string_pairs
from training.data.words import word_pairs

__all__ = ["Corpus", "CorpusError", "Drops", "Pair", "Reference", "group_references", "read_corpus"]


class CorpusError(ValueError):
    """A corpus that cannot be used at all: a missing file, or not one usable pair."""


class Pair(NamedTuple):
    """A sentence and its translation."""

    source: str
    target: str


class Reference(NamedTuple):
    """One source sentence with every known translation of it."""

    source: str
    targets: tuple[str, ...]


@dataclass
class Drops:
    """How many lines were dropped, by reason, with the first example of each."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    def add(self, reason: str, where: str, text: str) -> None:
        self.counts[reason] += 1
        self.examples.setdefault(reason, f"{where}: {text[:80]!r}")

    def lines(self) -> list[str]:
        """One readable line for each reason."""
        return [
            f"{n} dropped: {why} (first at {self.examples[why]})"
            for why, n in self.counts.most_common()
        ]


@dataclass(frozen=True)
class Corpus:
    """The two parts of a corpus, and what was left out of them."""

    train: list[Pair]
    dev: list[Pair]
    drops: Drops


def read_corpus(config: DataConfig, data_dir: Path, seed: int) -> Corpus:
    """The training and development pairs of a recipe.

    Raises:
        CorpusError: a file is missing or unreadable, or a part has no usable pair.
    """
    drops = Drops()
    if config.generated:
        generated, held_out = ([Pair(*pair) for pair in part] for part in _made(config, seed))
        return Corpus(generated, held_out, drops)
    train = list(_read_part(config, data_dir, config.train, config.train_target, drops))
    dev = list(_read_part(config, data_dir, config.dev, config.dev_target, drops))
    for name, part in (("train", train), ("dev", dev)):
        if not part:
            raise CorpusError("\n".join([f"data.{name}: not one usable pair", *drops.lines()]))
    return Corpus(train, dev, drops)


def _made(config: DataConfig, seed: int) -> Iterator[list[tuple[str, str]]]:
    """Both parts of a corpus that needs no file."""
    train, dev = config.train_pairs, config.dev_pairs
    match config.kind:
        case "dates":
            yield from date_pairs(train, dev, seed)
        case "words":
            yield from word_pairs(train, dev, seed)
        case "reber":
            yield from reber_pairs(train, dev, seed)
        case _:
            lengths = (config.min_symbols, config.max_symbols)
            yield from string_pairs(ANSWERS[config.kind], (train, dev), seed, lengths)


def group_references(pairs: list[Pair]) -> list[Reference]:
    """Pairs of the same source sentence become one entry with several references, in order of first
    appearance.
    """
    grouped: dict[str, list[str]] = {}
    for source, target in pairs:
        grouped.setdefault(source, []).append(target)
    return [Reference(source, tuple(dict.fromkeys(targets))) for source, targets in grouped.items()]


def _read_part(
    config: DataConfig, root: Path, name: str, target_name: str, drops: Drops
) -> Iterator[Pair]:
    if config.kind == "tsv":
        rows = _tsv_rows(config, root / name, drops)
    else:
        rows = _parallel_rows(root / name, root / target_name, drops)
    for where, left, right in rows:
        source, target = " ".join(left.split()), " ".join(right.split())
        if not source or not target:
            drops.add("an empty side", where, source or target)
        elif max(len(source), len(target)) > config.max_characters:
            drops.add(f"longer than {config.max_characters} characters", where, source)
        else:
            yield Pair(source, target)


def _tsv_rows(config: DataConfig, path: Path, drops: Drops) -> Iterator[tuple[str, str, str]]:
    wanted = max(config.source_column, config.target_column) + 1
    for where, line in _text_lines(path, drops):
        columns = line.split("\t")
        if len(columns) < wanted:
            drops.add(f"fewer than {wanted} columns", where, line)
        else:
            yield where, columns[config.source_column], columns[config.target_column]


def _parallel_rows(source: Path, target: Path, drops: Drops) -> Iterator[tuple[str, str, str]]:
    """Undecodable lines are dropped on both sides together, so that the files stay aligned."""
    for number, (left, right) in enumerate(zip_longest(_raw_lines(source), _raw_lines(target)), 1):
        if left is None or right is None:
            raise CorpusError(
                f"{source} and {target} have different numbers of lines "
                f"(one ends before line {number})"
            )
        where = f"{source.name}:{number}"
        try:
            yield where, left.decode(), right.decode()
        except UnicodeDecodeError as error:
            drops.add("not UTF-8", where, error.object.decode(errors="replace"))


def _text_lines(path: Path, drops: Drops) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(_raw_lines(path), 1):
        try:
            yield f"{path.name}:{number}", line.decode()
        except UnicodeDecodeError:
            drops.add("not UTF-8", f"{path.name}:{number}", line.decode(errors="replace"))


def _raw_lines(path: Path) -> Iterator[bytes]:
    try:
        with _open(path) as file:
            for number, line in enumerate(file):
                bare = line.removeprefix(codecs.BOM_UTF8) if number == 0 else line
                yield bare.rstrip(b"\r\n")
    except FileNotFoundError:
        raise CorpusError(
            f"{path}: no such file (relative paths are looked up under --data-dir)"
        ) from None
    except (OSError, EOFError, zlib.error) as error:  # gzip reports damage as any of them
        raise CorpusError(f"{path}: {error}") from None


def _open(path: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")
