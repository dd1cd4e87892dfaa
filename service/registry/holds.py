"""What requests hold: a READY version stays loaded for as long as one works with it.

Asked for at every call, so what was found is remembered until something changes.
"""

import threading
from dataclasses import dataclass

from service.bundle import Manifest
from service.errors import InvalidArgument, NotFound
from service.registry.catalog import Catalog, Entry
from service.registry.states import State
from service.translation import Translator

__all__ = ["Hold", "Holds", "LoadedVersion"]

_Wanted = tuple[str | None, int | None]  # model and version, as asked for
_MOST_FOUND = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadedVersion:
    """What a request works with: it stays loaded for as long as the request holds it."""

    name: str
    version: int
    manifest: Manifest
    translator: Translator


class Holds:
    """Finds the versions of a catalog that are asked for, and counts who holds them."""

    def __init__(self, catalog: Catalog, lock: threading.Lock) -> None:
        self._catalog = catalog
        self._lock = lock  # guards the catalog, and what was found
        self._found: dict[_Wanted, tuple[Entry, LoadedVersion]] = {}

    def acquire(self, model: str | None, version: int | None) -> "Hold":
        """A hold on the given version, or on the one serving `model`; nothing is found before it is
        entered.
        """
        return Hold(self, (model, version))

    def forget(self) -> None:
        """Look afresh from now on. With the lock held."""
        self._found = {}

    def take(self, wanted: _Wanted) -> tuple[Entry, LoadedVersion]:
        """Find a version and count one more who holds it.

        Raises NotFound, Unavailable, or InvalidArgument when the model had to be named.
        """
        with self._lock:
            found = self._found.get(wanted)
            if found is None or found[0].state is not State.READY:
                found = self._find(*wanted)
                if len(self._found) < _MOST_FOUND:
                    self._found[wanted] = found
            found[0].handles += 1
            return found

    def give_back(self, entry: Entry) -> None:
        """Count one less who holds it."""
        with self._lock:
            entry.handles -= 1

    def _find(self, model: str | None, version: int | None) -> tuple[Entry, LoadedVersion]:
        entry = self._catalog.find(self._only_model() if model is None else model, version)
        assert entry.loaded is not None
        return entry, LoadedVersion(
            name=entry.name,
            version=entry.version,
            manifest=entry.loaded.manifest,
            translator=entry.loaded.translator,
        )

    def _only_model(self) -> str:
        names = self._catalog.names()
        if not names:
            raise NotFound("model", "", names)
        if len(names) > 1:
            raise InvalidArgument("model", f"must be named, one of: {', '.join(names)}")
        return names[0]


class Hold:
    """Holds a version from `__enter__` to `__exit__`."""

    __slots__ = ("_entry", "_holds", "_wanted")

    def __init__(self, holds: Holds, wanted: _Wanted) -> None:
        self._holds = holds
        self._wanted = wanted

    def __enter__(self) -> LoadedVersion:
        self._entry, held = self._holds.take(self._wanted)
        return held

    def __exit__(self, *_: object) -> None:
        self._holds.give_back(self._entry)
