"""Publishing a bundle: all of it, or none of it.

The files are written into a temporary directory beside their destination, flushed to the disk, and
then moved into place by one rename. Who reads sees no half of a bundle; a crash leaves at most a
``.tmp-`` directory, which no reader looks at; of two writers that want the same version one wins
and the other is told.
"""

from __future__ import annotations

import dataclasses
import errno
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from service.bundle.contents import check_contents, digest
from service.bundle.errors import BundleError
from service.bundle.manifest import Manifest, check_manifest, dump_manifest
from service.bundle.names import (
    MANIFEST_FILE,
    TEMPORARY_PREFIX,
    is_model_name,
    version_directory,
    versions,
)

__all__ = ["next_version", "publish_bundle", "write_bundle"]

_TAKEN = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR)


class _VersionTakenError(BundleError):
    """Somebody else published this version first."""


def next_version(root: str | os.PathLike[str], name: str) -> int:
    """The version that comes after the newest one of a model below ``root``; 1 for a new model."""
    return max(versions(Path(root), name), default=0) + 1


def publish_bundle(
    root: str | os.PathLike[str], manifest: Manifest, files: Mapping[str, bytes]
) -> Path:
    """Write a bundle as the next version of its model, whatever ``manifest.version`` says.

    When another writer takes that version in the meantime, the one after it is tried.

    Raises:
        BundleError: with everything that is wrong with the bundle; nothing has been published then.
    """
    while True:
        manifest = dataclasses.replace(manifest, version=next_version(root, manifest.name))
        try:
            return write_bundle(root, manifest, files)
        except _VersionTakenError:
            continue


def write_bundle(
    root: str | os.PathLike[str], manifest: Manifest, files: Mapping[str, bytes]
) -> Path:
    """Write a bundle as ``root/<manifest.name>/<manifest.version>`` and return that directory.

    Args:
        root: the directory of all models, such as ``exported``; made if need be.
        manifest: complete but for ``files``, which is filled in here (what it holds is ignored).
        files: every file of the bundle but the manifest, by name.

    Raises:
        BundleError: with everything that is wrong with the bundle, or if the version exists
            already.
    """
    root = Path(root)
    manifest = dataclasses.replace(
        manifest, files={name: digest(data) for name, data in sorted(files.items())}
    )
    target = version_directory(root, manifest.name, manifest.version)
    if problems := list(_problems(manifest, files)):
        raise BundleError(target if is_model_name(manifest.name) else root, problems)
    _make_directory(target.parent)
    if os.path.lexists(target):
        raise _VersionTakenError(target, ["exists already; a published version is never changed"])
    temporary = target.parent / f"{TEMPORARY_PREFIX}{manifest.version}-{secrets.token_hex(6)}"
    try:
        _fill(temporary, {**files, MANIFEST_FILE: dump_manifest(manifest)})
        _move(temporary, target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return target


def _problems(manifest: Manifest, files: Mapping[str, bytes]) -> Iterator[str]:
    wrong = check_manifest(manifest)
    yield from wrong
    if not wrong:  # only a sound manifest says which file is what
        yield from check_contents(manifest, files.get).problems


def _fill(directory: Path, files: Mapping[str, bytes]) -> None:
    directory.mkdir()
    for name, data in files.items():
        with (directory / name).open("xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
    _flush_directory(directory)


def _move(temporary: Path, target: Path) -> None:
    try:
        # A rename replaces an empty directory at most; a version is never empty.
        temporary.rename(target)
    except OSError as error:
        if error.errno in _TAKEN:
            raise _VersionTakenError(
                target, ["was published by another writer at the same moment"]
            ) from None
        raise
    _flush_directory(target.parent)


def _make_directory(directory: Path) -> None:
    """Make a directory and those above it, each on the disk before anything is put into it."""
    if directory.is_dir():
        return
    _make_directory(directory.parent)
    directory.mkdir(exist_ok=True)
    _flush_directory(directory.parent)


def _flush_directory(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
