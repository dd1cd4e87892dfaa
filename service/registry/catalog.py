"""Every version the server knows, as plain data: no thread, no lock, no disk.

The manager feeds it what the watcher saw and what became of a load; it answers what to do next,
who serves, and whether the whole is ready.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from service.bundle.manifest import Manifest
from service.errors import NotFound, Unavailable
from service.logs import facts
from service.registry import policy
from service.registry.loader import Loaded
from service.registry.states import NEXT_STATES, State, VersionStatus
from service.registry.watcher import Fingerprint, Found, Scan

log = logging.getLogger(__name__)


@dataclass(kw_only=True, slots=True)
class Entry:
    """One version and all that is known of it."""

    name: str
    version: int
    path: Path
    content: Fingerprint
    state: State = State.NEW
    on_disk: bool = True
    settled: bool = True
    loaded: Loaded | None = None
    manifest: Manifest | None = None
    handles: int = 0
    reason: str = ""
    load_seconds: float | None = None

    def move(self, state: State) -> None:
        """Go to `state`; a move that states.py does not draw is a bug, and raises."""
        if state not in NEXT_STATES[self.state]:
            raise RuntimeError(f"{self.name}/{self.version} cannot go {self.state} -> {state}")
        self.state = state

    def seen(self) -> policy.Seen:
        """This entry as the policy sees it."""
        return policy.Seen(
            version=self.version,
            state=self.state,
            on_disk=self.on_disk,
            settled=self.settled,
            handles=self.handles,
        )


class Catalog:
    """The models of one server; not thread-safe."""

    def __init__(self) -> None:
        self._models: dict[str, dict[int, Entry]] = {}
        self._awaited: set[str] | None = None  # models that start-up waits for

    def observe(self, scan: Scan) -> list[Entry]:
        """Take over what is on disk; returns the entries that are gone from disk and memory."""
        for name, found in scan.models.items():
            entries = self._models.setdefault(name, {})
            for version, each in found.items():
                if version in entries:
                    _update(entries[version], each)
                else:
                    entries[version] = Entry(
                        name=name,
                        version=version,
                        path=each.path,
                        content=each.fingerprint,
                        settled=each.settled,
                    )
        for entry in self.entries():
            entry.on_disk = scan.get(entry.name, entry.version) is not None
        if self._awaited is None:
            self._awaited = {name for name, found in scan.models.items() if found}
        return self.forget()

    def forget(self) -> list[Entry]:
        """Drop and return what is neither on disk nor in memory."""
        unused = {State.NEW, State.UNLOADED, State.FAILED}
        gone = [each for each in self.entries() if not each.on_disk and each.state in unused]
        for entry in gone:
            del self._models[entry.name][entry.version]
        self._models = {name: entries for name, entries in self._models.items() if entries}
        return gone

    def entries(self) -> Iterator[Entry]:
        """Every entry, by name and version."""
        for name in sorted(self._models):
            yield from (self._models[name][version] for version in sorted(self._models[name]))

    def next_action(self) -> tuple[Entry, policy.Action] | None:
        """One thing to do, for whichever model has one."""
        for entries in self._models.values():
            action = policy.next_action(_seen(entries))
            if action is not None:
                return entries[action.version], action
        return None

    def serving(self, name: str) -> Entry | None:
        """The entry that answers for a model."""
        entries = self._models.get(name, {})
        # Asked for every request: only what can serve is shown to the policy.
        ready = (entry.seen() for entry in entries.values() if entry.state is State.READY)
        version = policy.serving(ready)
        return None if version is None else entries[version]

    def names(self) -> list[str]:
        """Every model that is known."""
        return sorted(self._models)

    def find(self, name: str, version: int | None) -> Entry:
        """The READY entry to use for a request.

        Raises NotFound (listing what exists) and Unavailable (saying why).
        """
        entries = self._models.get(name)
        if entries is None:
            raise NotFound("model", name, self.names())
        if version is None:
            entry = self.serving(name)
            if entry is None:
                raise Unavailable(f"model '{name}' has no ready version: {_states(entries)}")
            return entry
        if version not in entries:
            known = [f"{name}/{each}" for each in sorted(entries)]
            raise NotFound("model version", f"{name}/{version}", known)
        entry = entries[version]
        if entry.state is not State.READY:
            raise Unavailable(f"model '{name}/{version}' is not ready: {_states(entries)}")
        return entry

    def statuses(self) -> list[VersionStatus]:
        """What may be told about every version, by name, newest first."""
        statuses = []
        for name in self.names():
            serving = self.serving(name)
            for version in sorted(self._models[name], reverse=True):
                entry = self._models[name][version]
                status = VersionStatus(
                    name=name,
                    version=version,
                    state=entry.state,
                    serving=entry is serving,
                    reason=entry.reason,
                    manifest=entry.manifest,
                    load_seconds=entry.load_seconds,
                )
                statuses.append(status)
        return statuses

    def is_ready(self) -> bool:
        """Whether this server should get traffic.

        At start it waits until the fate of every model found on disk is decided, so that a rolling
        deployment does not send requests for the last model to a pod that still loads it. Then one
        READY model is enough: one bad model in a shared directory must not take every new pod of
        all the others away. (Each model has a health name, a state and a metric of its own.)
        """
        if self._awaited is None:
            return False
        self._awaited = {name for name in self._awaited if self._undecided(name)}
        return not self._awaited and any(each.state is State.READY for each in self.entries())

    def _undecided(self, name: str) -> bool:
        """Whether a model has nothing READY yet, and may soon have."""
        states = {entry.state for entry in self._models.get(name, {}).values()}
        return State.READY not in states and not states.isdisjoint({State.NEW, State.LOADING})


def _update(entry: Entry, found: Found) -> None:
    changed = entry.content != found.fingerprint
    entry.settled = found.settled
    if not changed:
        return
    if entry.state is State.FAILED:
        entry.move(State.NEW)
        entry.reason = ""
    elif entry.state in {State.READY, State.QUIESCING} and entry.content:
        log.warning(
            "the directory of a loaded version changed on disk; the change is not looked at: "
            "publish it as a new version",
            extra=facts(model=entry.name, version=entry.version),
        )
    entry.content = found.fingerprint


def _seen(entries: dict[int, Entry]) -> Sequence[policy.Seen]:
    return [entry.seen() for entry in entries.values()]


def _states(entries: dict[int, Entry]) -> str:
    return ", ".join(f"version {v} is {entries[v].state}" for v in sorted(entries, reverse=True))
