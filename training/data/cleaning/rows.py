"""The pairs of one chunk while it is cleaned, and what becomes of them.

R = rows (pairs) of the chunk, K = those that are kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.data.cleaning.keys import Keys, digests, normal_forms
from training.data.cleaning.mending import mend
from training.data.cleaning.reading import Chunk
from training.data.cleaning.rules import Limits

__all__ = ["Cleaned", "Example", "Plan", "Rows", "dropped_line", "keep_first"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """How raw lines become clean pairs. A language may be "": then nothing is asked of its side."""

    limits: Limits
    source_language: str = ""
    target_language: str = ""
    source_column: int = 0
    target_column: int = 1
    examples: int = 3
    keep_dropped: bool = False


class Example(NamedTuple):
    """A pair that something was done to, and where it stands."""

    place: str
    source: str
    target: str
    detail: str = ""


@dataclass(slots=True)
class Cleaned:
    """What a chunk came to. Kept pairs are lines ``source<TAB>target``."""

    file: str
    read: int
    kept: bytes = b""
    dropped_lines: bytes = b""  # only if the plan wants them
    unidentified: tuple[str, ...] = ()  # languages that the identifier does not know
    line_K: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    exact_K: Keys = field(default_factory=lambda: np.empty(0, dtype=np.uint64))
    source_K: Keys = field(default_factory=lambda: np.empty(0, dtype=np.uint64))
    target_K: Keys = field(default_factory=lambda: np.empty(0, dtype=np.uint64))
    source_length_K: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, dtype=np.int32))
    target_length_K: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, dtype=np.int32))
    dropped: Counter[str] = field(default_factory=Counter)
    mended: Counter[str] = field(default_factory=Counter)
    drop_examples: dict[str, list[Example]] = field(default_factory=dict)
    mend_examples: dict[str, list[Example]] = field(default_factory=dict)

    def without_text(self) -> Cleaned:
        """The same but for what has been written elsewhere."""
        return replace(self, kept=b"", dropped_lines=b"", drop_examples={}, mend_examples={})

    def drop(self, rule: str, example: Example, examples: int) -> None:
        self.dropped[rule] += 1
        keep_first(self.drop_examples, rule, example, examples)

    def mend(self, name: str, example: Example, examples: int) -> None:
        self.mended[name] += 1
        keep_first(self.mend_examples, name, example, examples)


def dropped_line(rule: str, example: Example) -> bytes:
    """A line of the file of dropped pairs: rule, place, source, target."""
    fields = (rule, example.place, example.source, example.target)
    return ("\t".join(" ".join(each.split()) for each in fields) + "\n").encode()


def keep_first(kept: dict[str, list[Example]], name: str, example: Example, examples: int) -> None:
    """Keep an example, unless there are enough of them."""
    found = kept.setdefault(name, [])
    if len(found) < examples:
        found.append(example)


class Rows:
    """Pairs as two lists of sentences, and for each whether it is still in."""

    def __init__(self, chunk: Chunk, plan: Plan, read: int) -> None:
        self.source: list[str] = []
        self.target: list[str] = []
        self._file = chunk.file
        self._plan = plan
        self._line_numbers: list[int] = []
        self._dropped_lines: list[bytes] = []
        self._outcome = Cleaned(file=chunk.file, read=read)
        self._kept_R = np.empty(0, dtype=np.bool_)

    @classmethod
    def read(cls, chunk: Chunk, plan: Plan) -> Rows:
        """The pairs of a chunk; lines that are none are dropped."""
        left = _decoded(chunk.left)
        right = None if chunk.right is None else _decoded(chunk.right)
        rows = cls(chunk, plan, len(left))
        if right is None:
            rows._add_columns(chunk.first_line, left)
        else:
            rows._add_pairs(chunk.first_line, zip(left, right, strict=True))
        rows._kept_R = np.ones(len(rows.source), dtype=np.bool_)
        return rows

    def _add_columns(self, first: int, lines: list[str | bytes]) -> None:
        source, target = self._plan.source_column, self._plan.target_column
        wanted = max(source, target) + 1
        for number, line in enumerate(lines, first):
            if isinstance(line, bytes):
                self._tell("utf-8", number, (_shown(line), ""))
                continue
            columns = line.split("\t")
            if len(columns) < wanted:
                self._tell("columns", number, (line, ""))
            else:
                self._add(number, columns[source], columns[target])

    def _add_pairs(self, first: int, pairs: Iterable[tuple[str | bytes, str | bytes]]) -> None:
        # A line that is no text is dropped on both sides, so that the files stay aligned.
        for number, (one, other) in enumerate(pairs, first):
            if isinstance(one, bytes) or isinstance(other, bytes):
                self._tell("utf-8", number, (_shown(one), _shown(other)))
            else:
                self._add(number, one, other)

    def _add(self, number: int, source: str, target: str) -> None:
        self._line_numbers.append(number)
        self.source.append(source)
        self.target.append(target)

    def pairs(self) -> Iterator[tuple[str, str]]:
        return zip(self.source, self.target, strict=True)

    def kept(self) -> NDArray[np.bool_]:
        """Which are still in."""
        return self._kept_R.copy()

    def drop(
        self, rule: str, breaks_R: NDArray[np.bool_], details: Mapping[int, str] | None = None
    ) -> None:
        """Drop those that are still in and break a rule."""
        rows = np.flatnonzero(breaks_R & self._kept_R)
        self._kept_R[rows] = False
        for row in rows.tolist():
            sides = (self.source[row], self.target[row])
            self._tell(rule, self._line_numbers[row], sides, (details or {}).get(row, ""))

    def mend(self, sentences: list[str], suspects: Sequence[int]) -> None:
        """Mend some sentences of one side, in place."""
        for row in suspects:
            before = sentences[row]
            sentences[row], names = mend(before)
            for name in sorted(names):
                example = self._example(self._line_numbers[row], before, sentences[row])
                self._outcome.mend(name, example, self._plan.examples)

    def outcome(self) -> Cleaned:
        """What is kept, as text and digests, and what was said of the rest."""
        kept = np.flatnonzero(self._kept_R)
        source = [self.source[row] for row in kept]
        target = [self.target[row] for row in kept]
        lines = [f"{one}\t{other}\n" for one, other in zip(source, target, strict=True)]
        outcome = self._outcome
        outcome.kept = "".join(lines).encode()
        outcome.dropped_lines = b"".join(self._dropped_lines)
        outcome.line_K = np.array(self._line_numbers, dtype=np.int64)[kept]
        outcome.exact_K = digests(lines)
        outcome.source_K = digests(normal_forms(source))
        outcome.target_K = digests(normal_forms(target))
        outcome.source_length_K = np.fromiter(map(len, source), dtype=np.int32, count=len(kept))
        outcome.target_length_K = np.fromiter(map(len, target), dtype=np.int32, count=len(kept))
        return outcome

    def _tell(self, rule: str, number: int, sides: tuple[str, str], detail: str = "") -> None:
        example = self._example(number, *sides, detail)
        self._outcome.drop(rule, example, self._plan.examples)
        if self._plan.keep_dropped:
            self._dropped_lines.append(dropped_line(rule, example))

    def _example(self, number: int, source: str, target: str, detail: str = "") -> Example:
        return Example(f"{self._file}:{number}", source, target, detail)


def _decoded(block: bytes) -> list[str | bytes]:
    """The lines of a block; those that are not UTF-8 stay bytes."""
    block = block.replace(b"\r\n", b"\n").removesuffix(b"\n")
    try:
        return [*block.decode().split("\n")]
    except UnicodeDecodeError:
        return [_decoded_line(line) for line in block.split(b"\n")]


def _decoded_line(line: bytes) -> str | bytes:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line


def _shown(line: str | bytes) -> str:
    return line.decode(errors="backslashreplace") if isinstance(line, bytes) else line
