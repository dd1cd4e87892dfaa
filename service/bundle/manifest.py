"""The manifest: what a bundle says about itself, as one value that both reads and writes.

The records below are the schema of ``manifest.json``; no key may be missing or unknown. Each record
has a ``validate`` for the rules between its own fields; :meth:`Manifest.validate` adds the rules
between records. :func:`load_manifest`, :func:`parse_manifest` and :func:`check_manifest` apply them
all, and report everything wrong together.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn

from service.bundle.errors import BundleError
from service.bundle.graphs import (
    Graphs,
    GraphSpec,
    MemorySpec,
    StateSpec,
    TensorSpec,
    shortlists,
)
from service.bundle.names import (
    GOLDENS_FILE,
    MANIFEST_FILE,
    MAX_VERSION,
    OPTIONAL_FILES,
    SHORTLIST_FILE,
    is_language,
    is_model_name,
)
from service.bundle.records import (
    DecodeDefaults,
    FileSpec,
    Limits,
    Provenance,
    Quality,
    Quantisation,
    SpecialIds,
    TokenizerSpec,
)
from service.bundle.schema import SchemaError, dump, parse
from service.bundle.wiring import wiring_problems

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
    "strict_json",
]

FORMAT_VERSION = 1
MAX_MANIFEST_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """Everything that a bundle says about itself.

    ``files`` lists every file but the manifest itself.
    """

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
    def has_shortlist(self) -> bool:
        """Whether the decoder may score rows over candidates, which a file of the bundle lists."""
        return shortlists(self.graphs)

    @property
    def required_files(self) -> tuple[str, ...]:
        """The files without which the bundle is not whole, the manifest itself left out."""
        graphs = self.graphs.encoder.file, self.graphs.decoder.file
        shortlist = (SHORTLIST_FILE,) if self.has_shortlist else ()
        return (*graphs, self.tokenizer.file, GOLDENS_FILE, *shortlist)

    def validate(self) -> Iterator[str]:
        """Yield one sentence for each rule between records that does not hold."""
        if self.format_version != FORMAT_VERSION:
            yield f"format_version: must be {FORMAT_VERSION}, not {self.format_version}"
        if not is_model_name(self.name):
            yield f"name: {self.name[:100]!r} is no plain name of letters, digits, '.', '_' and '-'"
        if not 1 <= self.version <= MAX_VERSION:
            yield f"version: must be between 1 and {MAX_VERSION}, not {self.version}"
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
    """Everything wrong with a manifest built in memory, within its records and between them."""
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
        plain = strict_json(data)
    except ValueError as error:
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
    """Read the manifest of a bundle, without checking the files beside it.

    Args:
        path: the directory of the bundle, or the file itself.

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


def strict_json(data: bytes) -> Any:
    """What JSON says, if it says it clearly: finite numbers, text fit for UTF-8, no key twice.

    Raises:
        ValueError: if it does not.
    """
    try:
        plain = json.loads(data, parse_constant=_refuse_constant, object_pairs_hook=_unique_keys)
        json.dumps(plain, ensure_ascii=False, allow_nan=False).encode()
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except UnicodeError as error:
        raise ValueError(f"text that is not Unicode: {error}") from None
    return plain


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = dict(pairs)
    if len(keys) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        twice = next(key for key, count in counts.items() if count > 1)
        raise ValueError(f"the key {twice[:100]!r} occurs twice")
    return keys
