"""The one check of a bundle's contents, for the reader and the writer alike."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from service.bundle.errors import BundleError
from service.bundle.goldens import Golden, parse_goldens
from service.bundle.manifest import FileSpec, Manifest
from service.bundle.names import GOLDENS_FILE, SHORTLIST_FILE
from service.bundle.onnxfile import onnx_problems
from service.bundle.shortlist import Shortlist, parse_shortlist
from service.bundle.tokenizer import Tokenizer, load_tokenizer

__all__ = ["Checked", "check_contents", "digest"]

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What the check had to read on its way; None for a part that is missing or wrong."""

    tokenizer: Tokenizer | None
    goldens: tuple[Golden, ...] | None
    shortlist: Shortlist | None
    problems: tuple[str, ...]


def digest(data: bytes) -> FileSpec:
    """The entry of ``manifest.files`` for a file of these bytes."""
    return FileSpec(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))


def check_contents(manifest: Manifest, read: Callable[[str], bytes | None]) -> Checked:
    """Look into every file of a bundle whose manifest is sound.

    Args:
        manifest: a manifest that passed its own check.
        read: gives the bytes of a file, whose digest has been verified; None when there is nothing
            fit to be read (the reason is then already known to the caller). Each file is asked for
            once, and let go before the next.
    """
    problems: list[str] = []
    for graph in (manifest.graphs.encoder, manifest.graphs.decoder):
        data = read(graph.file)
        if data is not None:
            problems.extend(f"{graph.file}: {problem}" for problem in onnx_problems(data))
    data = read(manifest.tokenizer.file)
    tokenizer = (
        None if data is None else _attempt(lambda d: _tokenizer(manifest, d), data, problems)
    )
    data = read(GOLDENS_FILE)
    goldens = None if data is None else _attempt(parse_goldens, data, problems)
    if goldens is not None and tokenizer is not None:
        for golden in goldens:
            problems.extend(_misfits(golden, manifest, tokenizer))
    data = read(SHORTLIST_FILE) if manifest.has_shortlist else None
    shortlist = (
        None if data is None else _attempt(lambda d: _shortlist(manifest, d), data, problems)
    )
    return Checked(
        tokenizer=tokenizer, goldens=goldens, shortlist=shortlist, problems=tuple(problems)
    )


def _tokenizer(manifest: Manifest, data: bytes) -> Tokenizer:
    return load_tokenizer(manifest.tokenizer, manifest.special_ids, data)


def _shortlist(manifest: Manifest, data: bytes) -> Shortlist:
    # Without an end no row would ever be over.
    needed = [manifest.special_ids.eos]
    return parse_shortlist(data, manifest.tokenizer.vocabulary_size, needed)


def _attempt(make: Callable[[bytes], T], data: bytes, problems: list[str]) -> T | None:
    try:
        return make(data)
    except BundleError as error:
        problems.extend(f"{error.path}: {problem}" for problem in error.problems)
        return None


def _misfits(golden: Golden, manifest: Manifest, tokenizer: Tokenizer) -> Iterator[str]:
    """How a golden goes beyond what its model was made for."""
    where = f"{GOLDENS_FILE}: the golden {golden.source[:60]!r}"
    size, limits = manifest.tokenizer.vocabulary_size, manifest.limits
    if not all(0 <= token < size for answer in golden.hypotheses for token in answer.tokens):
        yield f"{where} has a token outside the vocabulary of {size}"
    if golden.max_length > limits.max_target_tokens:
        yield f"{where} allows {golden.max_length} tokens, the model {limits.max_target_tokens}"
    source_tokens = len(tokenizer.encode(golden.source)) + 1
    if source_tokens > limits.max_source_tokens:
        yield f"{where} has {source_tokens} tokens, the model takes {limits.max_source_tokens}"
