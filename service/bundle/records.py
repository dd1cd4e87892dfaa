"""The records of the manifest, each with the rules between its own fields (``validate``).

The tensor part is in :mod:`service.bundle.graphs`, the whole in :mod:`service.bundle.manifest`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from service.bundle.names import is_file_name

__all__ = [
    "DecodeDefaults",
    "FileSpec",
    "Limits",
    "Provenance",
    "Quality",
    "Quantisation",
    "SpecialIds",
    "TokenizerSpec",
]

MAX_BEAM = 32
MAX_LENGTH = 1 << 16
MAX_SEED = (1 << 63) - 1
MAX_VOCABULARY = 1 << 20

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenizerSpec:
    """How text becomes ids; ``normalisation`` is all that ``decode(encode(text))`` may change.

    ``symbols`` reads characters and writes symbols with spaces between them.
    """

    kind: Literal["sentencepiece", "characters", "symbols"]
    file: str
    normalisation: str
    vocabulary_size: int

    def validate(self) -> Iterator[str]:
        """Yield one sentence for each rule that does not hold."""
        if not is_file_name(self.file):
            yield f"file: {self.file!r} is no plain file name"
        if not 1 <= self.vocabulary_size <= MAX_VOCABULARY:
            yield _out_of_range("vocabulary_size", 1, MAX_VOCABULARY, self.vocabulary_size)


@dataclass(frozen=True, kw_only=True, slots=True)
class SpecialIds:
    """Ids with a meaning of their own; they are never part of a text."""

    pad: int
    unk: int
    bos: int
    eos: int

    def validate(self) -> Iterator[str]:
        """Yield one sentence for each rule that does not hold."""
        if len({self.pad, self.unk, self.bos, self.eos}) < 4:
            yield f"pad {self.pad}, unk {self.unk}, bos {self.bos} and eos {self.eos} must differ"


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Lengths in tokens, the end-of-sentence token included, that the model was made for."""

    max_source_tokens: int
    max_target_tokens: int

    def validate(self) -> Iterator[str]:
        """Yield one sentence for each rule that does not hold."""
        for name in ("max_source_tokens", "max_target_tokens"):
            if not 1 <= getattr(self, name) <= MAX_LENGTH:
                yield _out_of_range(name, 1, MAX_LENGTH, getattr(self, name))


@dataclass(frozen=True, kw_only=True, slots=True)
class DecodeDefaults:
    """How to decode when a request does not say.

    The longest target of a source of ``n`` tokens is
    ``min(limits.max_target_tokens, ceil(max_length_ratio * n) + max_length_offset)`` tokens.
    """

    beam: int
    length_normalisation: Literal["none", "average", "gnmt"]
    length_penalty: float
    coverage_penalty: float
    max_length_ratio: float
    max_length_offset: int

    def validate(self) -> Iterator[str]:
        """Yield one sentence for each rule that does not hold."""
        if not 1 <= self.beam <= MAX_BEAM:
            yield _out_of_range("beam", 1, MAX_BEAM, self.beam)
        for name in ("length_penalty", "coverage_penalty"):
            if not 0 <= getattr(self, name) <= 100:
                yield _out_of_range(name, 0, 100, getattr(self, name))
        if not 0 <= self.max_length_ratio <= 1000:
            yield _out_of_range("max_length_ratio", 0, 1000, self.max_length_ratio)
        if not 0 <= self.max_length_offset <= MAX_LENGTH:
            yield _out_of_range("max_length_offset", 0, MAX_LENGTH, self.max_length_offset)
        if self.max_length_ratio == 0 and self.max_length_offset == 0:
            yield "max_length_ratio, max_length_offset: both are 0, so no token could be produced"

    def max_length(self, source_tokens: int, limits: Limits) -> int:
        """The longest target, in tokens, of a source of ``source_tokens`` tokens."""
        return min(
            limits.max_target_tokens,
            math.ceil(self.max_length_ratio * source_tokens) + self.max_length_offset,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Quantisation:
    """How weights are stored, and whether a row's result is free of its neighbours."""

    scheme: str
    batch_invariant: bool

    def validate(self) -> Iterator[str]:
        """Yield one sentence for each rule that does not hold."""
        if not self.scheme:
            yield 'scheme: must not be empty ("none" for float32)'


@dataclass(frozen=True, kw_only=True, slots=True)
class Quality:
    """One measured number, with all that is needed to measure it again."""

    metric: str
    value: float
    signature: str
    dataset: str
    beam: int
    note: str

    def validate(self) -> Iterator[str]:
        """Yield one sentence for each rule that does not hold."""
        if not self.metric:
            yield "metric: must not be empty"
        if not math.isfinite(self.value):
            yield f"value: must be a finite number, not {self.value}"
        if not 1 <= self.beam <= MAX_LENGTH:
            yield _out_of_range("beam", 1, MAX_LENGTH, self.beam)


@dataclass(frozen=True, kw_only=True, slots=True)
class Provenance:
    """Where the model comes from.

    ``created`` is ISO 8601 with a time zone, ``recipe_sha256`` lower-case hex.
    """

    data: str
    licence: str
    attribution: str
    recipe: str
    recipe_sha256: str
    seed: int
    duration_minutes: float
    created: str
    parley_version: str

    def validate(self) -> Iterator[str]:
        """Yield one sentence for each rule that does not hold."""
        if not _SHA256.fullmatch(self.recipe_sha256):
            yield f"recipe_sha256: {self.recipe_sha256[:70]!r} is no SHA-256 in lower-case hex"
        if not 0 <= self.seed <= MAX_SEED:
            yield _out_of_range("seed", 0, MAX_SEED, self.seed)
        if not (math.isfinite(self.duration_minutes) and self.duration_minutes >= 0):
            yield f"duration_minutes: must be 0 or more, not {self.duration_minutes}"
        if not _is_moment(self.created):
            yield f"created: {self.created[:70]!r} is no ISO 8601 time with a zone"


@dataclass(frozen=True, kw_only=True, slots=True)
class FileSpec:
    """What a file of the bundle must be: its SHA-256 in lower-case hex, and its size in bytes."""

    sha256: str
    bytes: int

    def validate(self) -> Iterator[str]:
        """Yield one sentence for each rule that does not hold."""
        if not _SHA256.fullmatch(self.sha256):
            yield f"sha256: {self.sha256[:70]!r} is no SHA-256 in lower-case hex"
        if self.bytes < 0:
            yield f"bytes: must be 0 or more, not {self.bytes}"


def _out_of_range(name: str, low: int, high: int, value: float) -> str:
    return f"{name}: must be between {low} and {high}, not {value}"


def _is_moment(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
