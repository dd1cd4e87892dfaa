"""What to do next with the versions of one model: a pure function of a snapshot.

Wanted is the newest version on disk that has not failed. The rule that everything else follows
from is *availability*: what serves is not let go before what replaces it is READY.

- A broken newest version changes nothing: the one before it is wanted, and keeps serving.
- Removing the newest directory rolls back: the next older version is loaded, then the removed one
  is let go. It serves until then.
- Removing every version of a model unloads it: leaving something out is how one asks for its end.
  (A `--models` directory that cannot be read is not an omission; see `watcher`.)
- A version that is still being copied waits until its directory has come to rest.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from service.registry.states import State


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """One version, as far as the policy needs to know it."""

    version: int
    state: State
    on_disk: bool = True
    settled: bool = True
    """False while its directory still changes."""
    handles: int = 0
    """Requests that are using it."""


@dataclass(frozen=True, slots=True)
class Load:
    """Bring a version to READY."""

    version: int


@dataclass(frozen=True, slots=True)
class Quiesce:
    """Give a version no new requests."""

    version: int


@dataclass(frozen=True, slots=True)
class Unload:
    """Free what a version holds."""

    version: int


Action = Load | Quiesce | Unload


def next_action(versions: Iterable[Seen]) -> Action | None:
    """Name the one thing to do now for a model, or None when all is as it should be."""
    versions = sorted(versions, key=lambda each: -each.version)
    for each in versions:
        if each.state is State.QUIESCING and each.handles == 0:
            return Unload(each.version)
    if any(each.state is State.LOADING for each in versions):
        return None
    wanted = _wanted(versions)
    if wanted is None:
        return None if any(each.on_disk for each in versions) else _quiesce(versions, keep=None)
    if wanted.state is State.READY:
        return _quiesce(versions, keep=wanted.version)
    return Load(wanted.version)


def serving(versions: Iterable[Seen]) -> int | None:
    """The version that answers when only the model is named: the newest READY one.

    One that is still on disk goes before one that was removed, so that a roll-back takes effect
    as soon as the older version is READY.
    """
    ready = [each for each in versions if each.state is State.READY]
    best = max(ready, key=lambda each: (each.on_disk, each.version), default=None)
    return None if best is None else best.version


def _wanted(versions: Sequence[Seen]) -> Seen | None:
    """The newest version on disk that can serve; `versions` are newest first.

    A version that is quiescing was replaced while it was on disk, so something newer serves; it
    is wanted again only once it has been unloaded.
    """
    loadable = {State.NEW, State.UNLOADED}
    for each in versions:
        if each.on_disk and (
            each.state is State.READY or (each.state in loadable and each.settled)
        ):
            return each
    return None


def _quiesce(versions: Sequence[Seen], keep: int | None) -> Quiesce | None:
    others = (v for v in versions if v.state is State.READY and v.version != keep)
    found = next(others, None)
    return None if found is None else Quiesce(found.version)
