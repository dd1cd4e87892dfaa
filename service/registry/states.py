"""The life of one version, and what may be told about it.

    NEW --> LOADING --> READY --> QUIESCING --> UNLOADED
     ^         |                                   |
     |         +--> FAILED                         |
     +---------------- (content changed) ----------+ (wanted again)

NEW: seen on disk. LOADING: digests, sessions, goldens. READY: proven, can be asked.
QUIESCING: gets no new requests, finishes those it has. UNLOADED: its memory is free again.
FAILED: could not be loaded; the reason is kept, and the directory is tried again when it changes.
"""

import enum
from dataclasses import dataclass

from service.bundle.manifest import Manifest


class State(enum.StrEnum):
    """Where a version is in its life; the value is the word for logs and metrics."""

    NEW = "new"
    LOADING = "loading"
    READY = "ready"
    QUIESCING = "quiescing"
    UNLOADED = "unloaded"
    FAILED = "failed"


NEXT_STATES: dict[State, frozenset[State]] = {
    State.NEW: frozenset({State.LOADING}),
    State.LOADING: frozenset({State.READY, State.FAILED}),
    State.READY: frozenset({State.QUIESCING}),
    State.QUIESCING: frozenset({State.UNLOADED}),
    State.UNLOADED: frozenset({State.NEW}),
    State.FAILED: frozenset({State.NEW}),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionStatus:
    """What the registry tells about one version.

    `manifest` is None until it has been read once; `reason` says why the state is FAILED, or what
    a version that is not loaded waits for; `serving` marks the version that answers when only the
    model's name is given; `load_seconds` is the time from LOADING to READY.
    """

    name: str
    version: int
    state: State
    serving: bool = False
    reason: str = ""
    manifest: Manifest | None = None
    load_seconds: float | None = None
