"""What lies under `--models` just now: a look at the disk, turned by hand or by the manager.

A published version appears by one rename and never changes. Directories are copied by other means
too (`kubectl cp`, `rsync`), so each version carries a fingerprint of its names, sizes and times;
one that changed since the last look has not *settled* and is left alone for one more look.
"""

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from service.bundle.names import is_model_name, parse_version
from service.logs import facts

log = logging.getLogger(__name__)

_LAST_VERSION = 2**31 - 1  # the API's int32
_MAX_ENTRIES = 1000  # of one version: no bundle has so many files, and a look must stay cheap

Fingerprint = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class Found:
    """One version directory: where, what its content looks like, whether it has come to rest."""

    path: Path
    fingerprint: Fingerprint
    settled: bool


@dataclass(frozen=True, slots=True)
class Scan:
    """model name -> version -> what was found. A model without versions is there, and empty."""

    models: dict[str, dict[int, Found]] = field(default_factory=dict)

    def get(self, model: str, version: int) -> Found | None:
        """What was found of one version, or None."""
        return self.models.get(model, {}).get(version)


class Watcher:
    """Looks at one directory of models; every call of `scan` is one look."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._last: Scan | None = None
        self._mentioned: set[tuple[Path, str]] = set()

    def scan(self) -> Scan:
        """Look once. When the directory cannot be read, the last look still stands.

        A volume that is away for a moment must not unload every model; it is logged, once until
        the directory is back.
        """
        try:
            names = sorted(each.name for each in self.root.iterdir())
        except OSError as error:
            self._mention(self.root, f"cannot be read, keeping what is loaded: {error.strerror}")
            return self._last or Scan()
        self._mentioned = {each for each in self._mentioned if each[0] != self.root}
        models = {name: self._versions(self.root / name) for name in names if self._is_model(name)}
        self._last = Scan({name: found for name, found in models.items() if found is not None})
        return self._last

    def _is_model(self, name: str) -> bool:
        path = self.root / name
        if name.startswith(".") or not path.is_dir():
            return False  # `.tmp-*`, `..data` of a mounted volume; a README beside the models
        if not is_model_name(name):
            self._mention(path, "is not a model: its name may have letters, digits, '.', '_', '-'")
            return False
        return True

    def _versions(self, model: Path) -> dict[int, Found] | None:
        try:
            names = sorted(each.name for each in model.iterdir())
        except OSError as error:
            self._mention(model, f"cannot be read, keeping what is loaded: {error.strerror}")
            return self._last.models.get(model.name) if self._last else None
        found = {}
        for name in names:
            path, version = model / name, parse_version(name)
            if version is None or version > _LAST_VERSION or not path.is_dir():
                self._explain_ignoring(path)
            else:
                found[version] = self._look_at(path, version)
        if not found:
            self._mention(model, "holds no version: publish one as a directory named 1, 2, 3 ...")
        return found

    def _look_at(self, path: Path, version: int) -> Found:
        content = fingerprint(path)
        if self._last is None:
            # The first look at start-up settles at once: there is nothing to compare with, and
            # what was there before us is most likely complete.
            return Found(path, content, settled=True)
        before = self._last.get(path.parent.name, version)
        return Found(path, content, settled=before is not None and before.fingerprint == content)

    def _explain_ignoring(self, path: Path) -> None:
        if path.name == "manifest.json":
            self._mention(path.parent, "is a bundle, not a model: --models wants its grandparent")
        elif path.name.startswith("."):
            self._mention(path, "is ignored: hidden, or being written", logging.DEBUG)
        elif path.is_dir():
            self._mention(path, "is ignored: a version is a directory named 1, 2, 3 ...")

    def _mention(self, path: Path, message: str, level: int = logging.WARNING) -> None:
        """Say something about a path once, not at every look."""
        if (path, message) not in self._mentioned:
            self._mentioned.add((path, message))
            log.log(level, message, extra=facts(path=path))


def fingerprint(path: Path) -> Fingerprint:
    """Names, sizes and modification times (ns) of everything under `path`, sorted."""
    return tuple(sorted(_entries(path, "")))


def _entries(path: Path, prefix: str) -> Iterator[tuple[str, int, int]]:
    try:
        entries = list(os.scandir(path))[:_MAX_ENTRIES]
    except OSError:
        return  # gone between two looks: the next one will tell
    for entry in entries:
        name = prefix + entry.name
        try:
            if entry.is_dir(follow_symlinks=False):
                yield name + "/", 0, 0
                yield from _entries(Path(entry.path), name + "/")
            else:
                info = entry.stat(follow_symlinks=False)
                yield name, info.st_size, info.st_mtime_ns
        except OSError:
            continue
