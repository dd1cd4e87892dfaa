"""The manifest: what a bundle says about itself, as one value that both reads and writes.

The records below are the schema of ``manifest.json``; no key may be missing or unknown. Each record
has a ``validate`` for the rules between its own fields; :meth:`Manifest.validate` adds the rules
between records. :func:`load_manifest`, :func:`parse_manifest` and :func:`check_manifest` apply them
all, and report everything wrong together.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, NoReturn

from service.bundle.errors import BundleError
from service.bundle.graphs import (
    Graphs,
    GraphSpec,
    MemorySpec,
    StateSpec,
    TensorSpec,
    wiring_problems,
)
from service.bundle.names import (
    GOLDENS_FILE,
    MANIFEST_FILE,
    OPTIONAL_FILES,
    is_file_name,
    is_language,
    is_model_name,
)
from service.bundle.schema import SchemaError, dump, parse

__all__ = [
    "FORMAT_VERSION",
    "DecodeDefaults",
    "FileSpec",
    "GraphSpec",
    "Graphs",
    "Limits",
    "Manifest",
    "MemorySpec",
    "Provenance",
    "Quality",
    "Quantisation",
    "SpecialIds",
    "StateSpec",
    "TensorSpec",
    "TokenizerSpec",
    "check_manifest",
    "dump_manifest",
    "load_manifest",
    "parse_manifest",
]

FORMAT_VERSION = 1
MAX_MANIFEST_BYTES = 1 << 20
MAX_BEAM = 100
MAX_LENGTH = 1 << 16
MAX_VOCABULARY = 1 << 20

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenizerSpec:
    """How text becomes ids: ``normalisation`` names all that ``decode(encode(text))`` may
    change."""

    kind: Literal["sentencepiece", "characters"]
    file: str
    normalisation: str
    vocabulary_size: int

    def validate(self) -> Iterator[str]:
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
        if len({self.pad, self.unk, self.bos, self.eos}) < 4:
            yield f"pad {self.pad}, unk {self.unk}, bos {self.bos} and eos {self.eos} must differ"


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Lengths in tokens, the end-of-sentence token included, that the model was made for."""

    max_source_tokens: int
    max_target_tokens: int

    def validate(self) -> Iterator[str]:
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
    """How the weights are stored, and whether a row's result is free of its neighbours in the
    batch."""

    scheme: str
    batch_invariant: bool

    def validate(self) -> Iterator[str]:
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
        if not self.metric:
            yield "metric: must not be empty"
        if not math.isfinite(self.value):
            yield f"value: must be a finite number, not {self.value}"
        if self.beam < 1:
            yield f"beam: must be at least 1, not {self.beam}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Provenance:
    """Where the model comes from. ``created`` is ISO 8601 with a time zone, ``recipe_sha256``
    lower-case hex."""

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
        if not _SHA256.fullmatch(self.recipe_sha256):
            yield f"recipe_sha256: {self.recipe_sha256[:70]!r} is no SHA-256 in lower-case hex"
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
        if not _SHA256.fullmatch(self.sha256):
            yield f"sha256: {self.sha256[:70]!r} is no SHA-256 in lower-case hex"
        if self.bytes < 0:
            yield f"bytes: must be 0 or more, not {self.bytes}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """Everything that a bundle says about itself; ``files`` lists every file but the manifest
    itself."""

    format_version: int
    name: str
    version: int
    task: Literal["translation", "transduction"]
    source_language: str
    target_language: str
    architecture: dict[str, str | int | float | bool]
    tokenizer: TokenizerSpec
    special_ids: SpecialIds
    limits: Limits
    graphs: Graphs
    memories: tuple[MemorySpec, ...]
    states: tuple[StateSpec, ...]
    decoding: DecodeDefaults
    quantisation: Quantisation
    quality: tuple[Quality, ...]
    provenance: Provenance
    files: dict[str, FileSpec]

    @property
    def required_files(self) -> tuple[str, ...]:
        """The files without which the bundle is not whole, the manifest itself left out."""
        return (
            self.graphs.encoder.file,
            self.graphs.decoder.file,
            self.tokenizer.file,
            GOLDENS_FILE,
        )

    def validate(self) -> Iterator[str]:
        """Yield one sentence for each rule between records that does not hold."""
        if self.format_version != FORMAT_VERSION:
            yield f"format_version: must be {FORMAT_VERSION}, not {self.format_version}"
        if not is_model_name(self.name):
            yield f"name: {self.name[:100]!r} is no plain name of letters, digits, '.', '_' and '-'"
        if self.version < 1:
            yield f"version: must be at least 1, not {self.version}"
        for key in ("source_language", "target_language"):
            if not is_language(getattr(self, key)):
                yield f"{key}: {getattr(self, key)[:100]!r} is no well-formed BCP-47 tag"
        for key, special in dump(self.special_ids).items():
            if not 0 <= special < self.tokenizer.vocabulary_size:
                yield (
                    f"special_ids.{key}: {special} is outside the vocabulary "
                    f"of {self.tokenizer.vocabulary_size} (tokenizer.vocabulary_size)"
                )
        yield from wiring_problems(self.graphs, self.memories, self.states)
        yield from self._file_problems()

    def _file_problems(self) -> Iterator[str]:
        required = self.required_files
        if len({*required, MANIFEST_FILE}) < len(required) + 1:
            yield f"graphs, tokenizer, {GOLDENS_FILE} and {MANIFEST_FILE} must be different files"
        for name in required:
            if name not in self.files:
                yield f"files: {name!r} is missing"
        for name in sorted(set(self.files) - set(required) - OPTIONAL_FILES):
            yield f"files: {name[:100]!r} is not known to the format"


def check_manifest(manifest: Manifest) -> list[str]:
    """Everything wrong with a manifest built in memory: types, each record's rules and the rules
    between records."""
    try:
        parse(Manifest, dump(manifest))
    except SchemaError as error:
        return list(error.problems)
    return []


def dump_manifest(manifest: Manifest) -> bytes:
    """The text of ``manifest.json``: UTF-8, two spaces deep, in the order of the fields."""
    return (
        json.dumps(dump(manifest), ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    ).encode()


def parse_manifest(data: bytes, *, path: str | Path = MANIFEST_FILE) -> Manifest:
    """Read a manifest; ``path`` only names it in messages.

    Raises:
        BundleError: with everything that is wrong with it.
    """
    try:
        plain = json.loads(data, parse_constant=_refuse_constant, object_pairs_hook=_unique_keys)
    except (ValueError, RecursionError) as error:
        raise BundleError(path, [f"is no JSON: {error}"]) from None
    found = (
        plain.get("format_version", FORMAT_VERSION) if isinstance(plain, dict) else FORMAT_VERSION
    )
    if (
        type(found) is int and found != FORMAT_VERSION
    ):  # its other keys are another format's business
        raise BundleError(
            path, [f"format_version: is {found}, this program reads format {FORMAT_VERSION}"]
        )
    try:
        return parse(Manifest, plain)
    except SchemaError as error:
        raise BundleError(path, error.problems) from None


def load_manifest(path: str | Path) -> Manifest:
    """Read the manifest of a bundle (``path``: its directory, or the file), without checking the
    files beside it.

    Raises:
        BundleError: if it cannot be read, is larger than 1 MiB, or anything is wrong with it.
    """
    path = Path(path)
    file = path / MANIFEST_FILE if path.is_dir() else path
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_MANIFEST_BYTES + 1)
    except OSError as error:
        raise BundleError(file, [error.strerror or str(error)]) from None
    if len(data) > MAX_MANIFEST_BYTES:
        raise BundleError(file, [f"is larger than {MAX_MANIFEST_BYTES} bytes"])
    return parse_manifest(data, path=file)


def _out_of_range(name: str, low: int, high: int, value: float) -> str:
    return f"{name}: must be between {low} and {high}, not {value}"


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = dict(pairs)
    if len(keys) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        twice = next(key for key, count in counts.items() if count > 1)
        raise ValueError(f"the key {twice[:100]!r} occurs twice")
    return keys


def _is_moment(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
