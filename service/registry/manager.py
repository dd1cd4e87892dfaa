"""Keeps the READY versions READY: the lock, the thread and the disk around `Catalog`.

One background thread looks at `--models`, loads, retires and unloads, one thing at a time. Requests
hold a version through `acquire`; nothing that they do waits for a load. `tick` is the thread's
whole work, and the hand crank of the tests.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence

from service.bundle import BundleError
from service.errors import ParleyError
from service.logs import facts
from service.metrics import ModelMetrics
from service.registry.catalog import Catalog, Entry
from service.registry.holds import Hold, Holds
from service.registry.loader import GoldensFailed, Loaded, Loader
from service.registry.policy import Action, Load, Quiesce
from service.registry.states import State, VersionStatus
from service.registry.watcher import Watcher

log = logging.getLogger(__name__)


class Manager:
    """Loads, serves and unloads the versions found by `watcher`.

    `on_change` is called on the registry's thread after anything that health or listings show has
    changed. With `poll_seconds` <= 0 there is no thread, and whoever owns the manager turns `tick`.
    """

    def __init__(
        self,
        watcher: Watcher,
        loader: Loader,
        metrics: ModelMetrics,
        *,
        poll_seconds: float = 1.0,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._watcher = watcher
        self._loader = loader
        self._metrics = metrics
        self._poll_seconds = poll_seconds
        self._on_change = on_change
        self._catalog = Catalog()
        self._lock = threading.Lock()  # guards the catalog; never held while loading or unloading
        self._statuses: Sequence[VersionStatus] = ()  # as last published; replaced, never changed
        self._holds = Holds(self._catalog, self._lock)
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    # -- what requests need -----------------------------------------------------------------------

    def acquire(self, model: str | None = None, version: int | None = None) -> Hold:
        """Hold a READY version: the given one, or the one serving `model`.

        None for the model means the only one there is. Entering raises NotFound, Unavailable, or
        InvalidArgument when the model had to be named.
        """
        return self._holds.acquire(model, version)

    def list(self) -> Sequence[VersionStatus]:
        """Every version that is on disk or in memory, by name, newest first.

        Made when something changes, for it is asked for at every call.
        """
        return self._statuses

    # -- what probes need -------------------------------------------------------------------------

    def is_ready(self) -> bool:
        """Whether this server should get traffic; see `Catalog.is_ready`."""
        with self._lock:
            return self._catalog.is_ready()

    def ready_models(self) -> dict[str, bool]:
        """Every known model, and whether a version of it is READY."""
        with self._lock:
            names = self._catalog.names()
            return {name: self._catalog.serving(name) is not None for name in names}

    def ailments(self) -> Sequence[str]:
        """What keeps this process from doing its work, in words; empty when it is alive."""
        with self._lock:
            loaded = [each for each in self._catalog.entries() if each.loaded is not None]
            sick = [each for each in loaded if each.loaded and not each.loaded.healthy]
        found = [
            f"the decoding thread of {each.name}/{each.version} is stuck or dead" for each in sick
        ]
        if self._thread is not None and not self._thread.is_alive() and not self._stopping.is_set():
            found.append("the registry's thread is dead")
        return found

    # -- the thread -------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to look, and to load what is found, in the background."""
        if self._poll_seconds > 0:
            self._thread = threading.Thread(target=self._run, name="parley-registry", daemon=True)
            self._thread.start()

    def stop(self, drain_seconds: float = 0.0, patience_seconds: float = 5.0) -> bool:
        """End the thread and every engine; requests still running there get `drain_seconds`.

        Returns False when something did not end within `patience_seconds`: a load in progress, or
        an engine that is stuck. Such threads are left behind, and the process should not wait for
        them.
        """
        self._stopping.set()
        ended = True
        if self._thread is not None:
            self._thread.join(patience_seconds)
            ended = not self._thread.is_alive()
        with self._lock:
            loaded = [each.loaded for each in self._catalog.entries() if each.loaded is not None]
        closing = [
            threading.Thread(target=each.close, args=(drain_seconds,), daemon=True)
            for each in loaded
        ]
        for thread in closing:
            thread.start()
        for thread in closing:
            thread.join(drain_seconds + patience_seconds)
        return ended and not any(thread.is_alive() for thread in closing)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.tick()
            except Exception:
                # Whatever went wrong, the next look may go better, and the models serve on.
                log.exception("looking for models failed")
            self._stopping.wait(self._poll_seconds)

    def tick(self) -> None:
        """Look once, then do whatever is to be done until nothing is."""
        scan = self._watcher.scan()
        with self._lock:
            gone = self._catalog.observe(scan)
        self._publish(gone)
        while not self._stopping.is_set():
            with self._lock:
                found = self._catalog.next_action()
            if found is None:
                return
            self._perform(*found)

    def _perform(self, entry: Entry, action: Action) -> None:
        if isinstance(action, Load):
            self._load(entry)
        elif isinstance(action, Quiesce):
            self._quiesce(entry)
        else:
            self._unload(entry)

    # -- the three actions ------------------------------------------------------------------------

    def _load(self, entry: Entry) -> None:
        with self._lock:
            if entry.state is State.UNLOADED:
                entry.move(State.NEW)
            entry.move(State.LOADING)
        self._publish()
        log.info("loading", extra=_of(entry))
        started = time.monotonic()
        try:
            loaded = self._loader.load(entry.name, entry.version, entry.path)
        except Exception as error:  # noqa: BLE001 - any failure is this version's, not the server's
            self._fail(entry, error)
            return
        seconds = time.monotonic() - started
        if self._stopping.is_set():
            loaded.close()
            return
        with self._lock:
            entry.loaded, entry.manifest, entry.load_seconds = loaded, loaded.manifest, seconds
            entry.reason = ""
            entry.move(State.READY)
        self._metrics.load_seconds.labels(entry.name).observe(seconds)
        self._publish()
        log.info("ready", extra=_of(entry, seconds=seconds))

    def _fail(self, entry: Entry, error: Exception) -> None:
        reason, label = str(error) or type(error).__name__, "internal"
        if isinstance(error, BundleError):
            label = "bundle"
        elif isinstance(error, GoldensFailed):
            label = "goldens"
            self._metrics.golden_failures.labels(entry.name).inc(error.failed)
        elif not isinstance(error, ParleyError):
            reason = f"{type(error).__name__}: {reason}"
        with self._lock:
            entry.reason = reason
            entry.move(State.FAILED)
            serving = self._catalog.serving(entry.name)
        self._metrics.load_failures.labels(entry.name, label).inc()
        self._publish()
        log.error(
            "refused; it is tried again when its directory changes",
            extra=_of(entry, serving=serving.version if serving else "none", reason=reason),
            exc_info=None if isinstance(error, ParleyError) else error,
        )

    def _quiesce(self, entry: Entry) -> None:
        with self._lock:
            entry.move(State.QUIESCING)
            handles = entry.handles
        self._publish()
        log.info("retired: gets no new requests", extra=_of(entry, running=handles))

    def _unload(self, entry: Entry) -> None:
        with self._lock:
            loaded: Loaded | None = entry.loaded
            entry.loaded, entry.load_seconds = None, None
            entry.move(State.UNLOADED)
        if loaded is not None:
            loaded.close()
        with self._lock:
            gone = self._catalog.forget()
        self._publish(gone)
        log.info("unloaded", extra=_of(entry))

    def _publish(self, gone: Sequence[Entry] = ()) -> None:
        """Bring metrics up to date and tell whoever listens."""
        with self._lock:
            statuses = self._statuses = self._catalog.statuses()
            self._holds.forget()
        serving = {entry.name: 0 for entry in gone}
        for status in statuses:
            serving.setdefault(status.name, 0)
            self._metrics.set_state(status.name, status.version, status.state)
            if status.serving:
                serving[status.name] = status.version
        for entry in gone:
            self._metrics.drop_state(entry.name, entry.version)
        for name, version in serving.items():
            self._metrics.declare(name)
            self._metrics.serving_version.labels(name).set(version)
        self._on_change()


def _of(entry: Entry, **more: object) -> dict[str, object]:
    return facts(model=entry.name, version=entry.version, **more)
