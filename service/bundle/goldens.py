"""Goldens: what the exporter saw the model answer, kept so that a server can see it again.

``goldens.jsonl`` holds one JSON object a line, greedy (beam 1) and beam entries alike. A server
decodes each source again, on its own CPU and with the options written here, before it lets the
version answer anyone.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from service.bundle.errors import BundleError
from service.bundle.manifest import strict_json
from service.bundle.names import GOLDENS_FILE
from service.bundle.records import MAX_BEAM
from service.bundle.schema import SchemaError, dump, parse

__all__ = [
    "SCORE_TOLERANCE",
    "Golden",
    "GoldenHypothesis",
    "dump_goldens",
    "mismatches",
    "parse_goldens",
]

SCORE_TOLERANCE = 1e-3
"""How far a score may be off, relatively or absolutely: other CPUs sum floats in another order."""

MAX_GOLDENS = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class GoldenHypothesis:
    """One answer: its text, its token ids (without end of sentence), and its score as ranked."""

    text: str
    tokens: tuple[int, ...]
    score: float

    def validate(self) -> Iterator[str]:
        """Yield one sentence for each rule that does not hold."""
        if not math.isfinite(self.score):
            yield f"score: must be a finite number, not {self.score}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Golden:
    """One source, the options it was decoded with, and the hypotheses that came out, best first.

    ``source`` is one sentence: it is encoded as it stands, with end of sentence appended, and
    decoded with ``n_best`` = the number of hypotheses. Lengths are in tokens.
    """

    source: str
    beam: int
    length_normalisation: Literal["none", "average", "gnmt"]
    length_penalty: float
    coverage_penalty: float
    min_length: int
    max_length: int
    hypotheses: tuple[GoldenHypothesis, ...]

    def validate(self) -> Iterator[str]:
        """Yield one sentence for each rule that does not hold."""
        if not 1 <= self.beam <= MAX_BEAM:
            yield f"beam: must be between 1 and {MAX_BEAM}, not {self.beam}"
        if not 0 <= self.min_length <= self.max_length or self.max_length < 1:
            yield f"min_length, max_length: {self.min_length} to {self.max_length} is no range"
        if not 1 <= len(self.hypotheses) <= self.beam:
            yield f"hypotheses: must be between 1 and beam {self.beam}, not {len(self.hypotheses)}"


def dump_goldens(goldens: Iterable[Golden]) -> bytes:
    """The bytes of ``goldens.jsonl``."""
    lines = (
        json.dumps(dump(golden), ensure_ascii=False, allow_nan=False) + "\n" for golden in goldens
    )
    return "".join(lines).encode()


def parse_goldens(data: bytes, *, path: str = GOLDENS_FILE) -> tuple[Golden, ...]:
    """Read ``goldens.jsonl``; at least one greedy golden is required.

    Raises:
        BundleError: with everything that is wrong, each by its line.
    """
    lines = [(n, line) for n, line in enumerate(data.split(b"\n"), start=1) if line.strip()]
    if len(lines) > MAX_GOLDENS:
        raise BundleError(path, [f"has {len(lines)} goldens, at most {MAX_GOLDENS} are allowed"])
    goldens: list[Golden] = []
    problems: list[str] = []
    for number, line in lines:
        try:
            goldens.append(parse(Golden, strict_json(line)))
        except SchemaError as error:
            problems.extend(f"line {number}: {problem}" for problem in error.problems)
        except ValueError as error:
            problems.append(f"line {number}: is no JSON: {error}")
    if not problems and not any(golden.beam == 1 for golden in goldens):
        problems.append("has no greedy golden (beam 1)")
    if problems:
        raise BundleError(path, problems)
    return tuple(goldens)


def mismatches(golden: Golden, answers: Sequence[GoldenHypothesis]) -> list[str]:
    """How freshly decoded ``answers`` differ from a golden: one sentence each, none when it holds.

    Tokens must be equal, scores within :data:`SCORE_TOLERANCE`. Texts follow from tokens and are
    compared too, so that a tokenizer that decodes differently is seen.
    """
    where = f"golden {golden.source[:60]!r} (beam {golden.beam})"
    if len(answers) != len(golden.hypotheses):
        return [f"{where}: {len(golden.hypotheses)} hypotheses expected, {len(answers)} found"]
    found: list[str] = []
    for rank, (expected, actual) in enumerate(
        zip(golden.hypotheses, answers, strict=True), start=1
    ):
        if expected.tokens != tuple(actual.tokens):
            found.append(
                f"{where}: hypothesis {rank} should be {expected.text!r}, is {actual.text!r}"
            )
        elif expected.text != actual.text:
            found.append(
                f"{where}: the tokens of hypothesis {rank} mean {actual.text!r}, "
                f"not {expected.text!r} as they did"
            )
        elif not math.isclose(
            expected.score, actual.score, rel_tol=SCORE_TOLERANCE, abs_tol=SCORE_TOLERANCE
        ):
            found.append(
                f"{where}: the score of hypothesis {rank} should be {expected.score:.6g}, "
                f"is {actual.score:.6g}"
            )
    return found
