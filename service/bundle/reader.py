"""Opening a published bundle. Nothing in it is trusted before it has been checked.

A bundle is opened whole or not at all: sizes are bounded before anything is read, digests are
verified on the very bytes that are used, and everything that is wrong is reported in one message.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from service.bundle.contents import check_contents, digest
from service.bundle.errors import BundleError
from service.bundle.files import Folder
from service.bundle.goldens import Golden
from service.bundle.manifest import MAX_MANIFEST_BYTES, Manifest, parse_manifest
from service.bundle.names import MANIFEST_FILE
from service.bundle.shortlist import Shortlist
from service.bundle.tokenizer import Tokenizer

__all__ = ["Bundle", "BundleLimits", "open_bundle"]

_MIB = 1 << 20
_MAX_ENTRIES = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class BundleLimits:
    """The largest files, in bytes, that are read at all."""

    graph: int = 1024 * _MIB
    tokenizer: int = 32 * _MIB
    other: int = 16 * _MIB


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """An opened bundle: every file was there, whole and sound, when it was opened.

    Attributes:
        path: its directory. The version served is the directory's name; the manifest says what was
            published.
        manifest: what it says about itself.
        tokenizer: ready for use.
        goldens: what it must still answer on this machine.
        shortlist: what rows are scored over, where that is not the whole vocabulary.
    """

    path: Path
    manifest: Manifest
    tokenizer: Tokenizer
    goldens: tuple[Golden, ...]
    shortlist: Shortlist | None = None

    def read_graph(self, name: str) -> bytes:
        """The bytes of the graph "encoder" or "decoder", read from disk and verified once more.

        Raises:
            BundleError: if the file is no longer what it was when the bundle was opened.
        """
        graph = {"encoder": self.manifest.graphs.encoder, "decoder": self.manifest.graphs.decoder}[
            name
        ]
        try:
            with Folder(self.path) as folder:
                return _read_verified(folder, graph.file, self.manifest)
        except BundleError as error:
            raise BundleError(self.path / graph.file, error.problems) from None


def open_bundle(path: str | os.PathLike[str], *, limits: BundleLimits | None = None) -> Bundle:
    """Open a version directory, for example ``exported/tatoeba-de-en/1``.

    Raises:
        BundleError: with everything that is wrong with it.
    """
    path, limits = Path(path), limits or BundleLimits()
    with Folder(path) as folder:
        manifest = _read_manifest(folder)
        problems, sound = _survey(folder, manifest, limits)

        def read(name: str) -> bytes | None:
            if name not in sound:
                return None
            sound.discard(name)
            try:
                return _read_verified(folder, name, manifest)
            except BundleError as error:
                problems.extend(f"{name}: {problem}" for problem in error.problems)
                return None

        checked = check_contents(manifest, read)
        for name in sorted(
            sound
        ):  # files that only people read: their digests must hold all the same
            read(name)
    problems.extend(checked.problems)
    if problems or checked.tokenizer is None or checked.goldens is None:
        raise BundleError(path, problems)
    return Bundle(
        path=path,
        manifest=manifest,
        tokenizer=checked.tokenizer,
        goldens=checked.goldens,
        shortlist=checked.shortlist,
    )


def _read_manifest(folder: Folder) -> Manifest:
    file = folder.path / MANIFEST_FILE
    try:
        data = folder.read(MANIFEST_FILE, limit=MAX_MANIFEST_BYTES)
    except BundleError as error:
        raise BundleError(file, error.problems) from None
    return parse_manifest(data, path=file)


def _survey(folder: Folder, manifest: Manifest, limits: BundleLimits) -> tuple[list[str], set[str]]:
    """Compare directory and manifest; return the problems, and the files fit to be read."""
    problems: list[str] = []
    there = folder.entries(_MAX_ENTRIES)
    if len(there) > _MAX_ENTRIES:
        problems.append(f"holds more than {_MAX_ENTRIES} entries")
    for name, kind in sorted(there.items()):
        if kind != "file":
            problems.append(f"{name!r} is a {kind}: a bundle holds plain files only")
        elif name != MANIFEST_FILE and name not in manifest.files:
            problems.append(f"{name!r} is not in the manifest")
    fit: set[str] = set()
    for name, spec in manifest.files.items():
        limit = _limit(name, manifest, limits)
        if name not in there:
            problems.append(f"{name}: is in the manifest but does not exist")
        elif spec.bytes > limit:
            problems.append(
                f"{name}: has {spec.bytes} bytes by the manifest, at most {limit} are allowed"
            )
        elif there[name] == "file":
            fit.add(name)
    return problems, fit


def _limit(name: str, manifest: Manifest, limits: BundleLimits) -> int:
    if name in (manifest.graphs.encoder.file, manifest.graphs.decoder.file):
        return limits.graph
    return limits.tokenizer if name == manifest.tokenizer.file else limits.other


def _read_verified(folder: Folder, name: str, manifest: Manifest) -> bytes:
    spec = manifest.files[name]
    data = folder.read(name, limit=spec.bytes)
    if len(data) < spec.bytes:
        raise BundleError(
            name, [f"is cut short: {len(data)} bytes, the manifest says {spec.bytes}"]
        )
    if digest(data) != spec:
        raise BundleError(
            name, [f"its SHA-256 is not the one in the manifest ({spec.sha256[:12]}...)"]
        )
    return data
