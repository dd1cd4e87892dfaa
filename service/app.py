"""The composition root: what `parley serve` is made of, how it starts and how it stops.

Started bottom-up and stopped top-down:

    metrics -> registry (engines) -> gRPC -> HTTP -> models
    NOT_SERVING -> pause -> no new calls -> running calls end -> engines end -> HTTP ends
"""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
import time
from dataclasses import dataclass, field
from typing import NoReturn

from service import __version__
from service.decoding import EngineLimits
from service.errors import SettingsError
from service.logs import facts
from service.metrics import Metrics, new_registry
from service.monitor import Monitor, Verdict
from service.registry import BundleLoader, Manager, State, Watcher
from service.rpc.limits import Limits
from service.rpc.server import RpcServer, build_server
from service.settings import Address, Settings
from service.threads import throttling, usable_cpus

log = logging.getLogger(__name__)

LIVENESS = "liveness"
READINESS = ""
_HEARTBEAT_SECONDS = 1.0
# With more, a row costs a thread no less, and everybody's steps take longer.
_SOURCES_PER_THREAD, _POSITIONS_PER_THREAD = 64, 2048
# Python looks for garbage in cycles whenever 700 more objects were made than let go of, which a few
# dozen calls in flight do all the time though they leave none: a twentieth of the loop's CPU time.
_GARBAGE_THRESHOLDS = (10_000, 20, 20)


async def serve(settings: Settings) -> int:
    """Run a server until it is told to stop; returns its exit code (0: it drained cleanly).

    Raises SettingsError when there is no directory of models, and ListenError when an address
    cannot be opened; nothing is left behind then.
    """
    if not settings.models.is_dir():
        raise SettingsError([f"--models {settings.models} is not a directory"])
    gc.set_threshold(*_GARBAGE_THRESHOLDS)
    server = assemble(settings)
    stop = _StopSignals(asyncio.get_running_loop())
    code = 1
    try:
        await server.start()
        name = await stop.wait()
        log.info("draining; a second signal ends at once", extra=facts(signal=name))
        code = await server.drain(pause=name != "SIGINT")  # nobody's load balancer sent a Ctrl-C
    finally:
        if not await server.close():
            log.warning("a load or a decoding thread did not end; leaving it behind")
            _end_at_once(code)
        stop.close()
    return code


def assemble(settings: Settings) -> "Server":
    """Wire a server for `settings`; nothing runs or listens yet."""
    loop = asyncio.get_running_loop()
    threads = settings.threads or usable_cpus()
    metrics = Metrics(new_registry())
    metrics.process.threads.set(threads)
    metrics.process.watch_throttling(throttling)
    loader = BundleLoader(
        threads=threads,
        limits=EngineLimits(
            max_rows=settings.max_rows,
            max_sources=_SOURCES_PER_THREAD * threads,
            near_positions=_POSITIONS_PER_THREAD * threads,
            max_queue=settings.max_queue,
        ),
        metrics=metrics.engines,
        stuck_seconds=settings.stuck_seconds,
    )

    def changed() -> None:  # on the registry's thread
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
            loop.call_soon_threadsafe(health.refresh)

    manager = Manager(
        Watcher(settings.models),
        loader,
        metrics.models,
        poll_seconds=settings.poll_seconds,
        on_change=changed,
    )
    limits = Limits(
        max_contents=settings.max_contents,
        max_text_chars=settings.max_text_chars,
        default_deadline_seconds=settings.default_deadline_seconds,
        max_connection_age_seconds=settings.max_connection_age_seconds,
    )
    rpc = build_server(manager, metrics.rpc, limits, settings.default_model)
    health = Health(manager, rpc)
    monitor = Monitor(metrics.registry, alive=health.alive, ready=health.ready)
    return Server(settings, threads, manager, rpc, monitor, health)


@dataclass(slots=True)
class Health:
    """What the probes are told; never waits for anything."""

    manager: Manager
    rpc: RpcServer
    draining: bool = False
    _models: set[str] = field(default_factory=set)
    _was_ready: bool = False

    def refresh(self) -> None:
        """Bring the gRPC health service up to date. On the event loop only."""
        self.rpc.set_serving(LIVENESS, not self.manager.ailments())
        if self.draining:
            return
        ready, models = self._is_ready(), self.manager.ready_models()
        self.rpc.set_serving(READINESS, ready)
        for name in self._models | set(models):
            self.rpc.set_serving(name, models.get(name, False))
        self._models |= set(models)
        if ready != self._was_ready:
            log.info("ready for traffic" if ready else "not ready for traffic")
        self._was_ready = ready

    def _is_ready(self) -> bool:
        # What is about to be restarted should not get traffic until then.
        return self.manager.is_ready() and not self.manager.ailments()

    def alive(self) -> Verdict:
        """/livez: this answers, so the loop beats; do the other threads?"""
        ailments = self.manager.ailments()
        return Verdict(not ailments, "\n".join(ailments or ["alive"]) + "\n")

    def ready(self) -> Verdict:
        """/readyz, with one line for every version that is or could be serving."""
        if self.draining:
            return Verdict(ok=False, text="draining\n")
        ready = self._is_ready()
        lines = [
            f"{each.name}/{each.version} {each.state}{' (serving)' if each.serving else ''}"
            for each in self.manager.list()
            if each.state is not State.UNLOADED
        ]
        return Verdict(ready, "\n".join(["ready" if ready else "not ready", *lines]) + "\n")


class Server:
    """Everything that runs, in the order in which it starts."""

    def __init__(
        self,
        settings: Settings,
        threads: int,
        manager: Manager,
        rpc: RpcServer,
        monitor: Monitor,
        health: Health,
    ) -> None:
        self._settings = settings
        self._threads = threads
        self._manager = manager
        self._rpc = rpc
        self._monitor = monitor
        self._health = health
        self._heart: asyncio.Task[None] | None = None
        self.grpc_address: Address | None = None
        self.http_address: Address | None = None

    async def start(self) -> None:
        """Open both doors, closed to readers of health, then begin to load models.

        The addresses come first: that one is taken should be known before anything is loaded.
        """
        listen = self._settings.listen
        port = await self._rpc.start(listen.host, listen.port)
        self.grpc_address = Address(listen.host, port)
        if self._settings.http is not None:
            self.http_address = await self._monitor.start(self._settings.http)
        self._manager.start()
        self._heart = asyncio.create_task(self._beat())
        log.info(
            "listening",
            extra=facts(
                grpc=self.grpc_address,
                http=self.http_address or "off",
                models=self._settings.models,
                threads=self._threads,
                version=__version__,
            ),
        )

    async def drain(self, *, pause: bool) -> int:
        """Stop as an orchestrator likes it; returns 0, or 1 when calls had to be cut off."""
        self._health.draining = True
        self._rpc.drain()
        if pause and self._settings.drain_pause_seconds:
            await asyncio.sleep(self._settings.drain_pause_seconds)
        started = time.monotonic()
        await self._rpc.stop(self._settings.drain_seconds)
        seconds = time.monotonic() - started
        if seconds >= self._settings.drain_seconds > 0:
            log.warning("calls were cut off at the end of the drain", extra=facts(seconds=seconds))
            return 1
        log.info("drained", extra=facts(seconds=seconds))
        return 0

    async def close(self) -> bool:
        """End whatever still runs; returns False when a thread had to be left behind."""
        if self._heart is not None:
            self._heart.cancel()
        await self._rpc.stop(0)
        ended = await asyncio.to_thread(self._manager.stop)
        await self._monitor.stop()
        return ended

    async def _beat(self) -> None:
        """Look after liveness, which changes without anything being loaded or unloaded."""
        while True:
            self._health.refresh()
            await asyncio.sleep(_HEARTBEAT_SECONDS)


class _StopSignals:
    """The first SIGTERM or SIGINT asks for a drain, the second ends the process."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._first: asyncio.Future[str] = loop.create_future()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._receive, number)

    async def wait(self) -> str:
        """Wait for the first signal; returns its name."""
        return await self._first

    def close(self) -> None:
        """Give the signals back."""
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.remove_signal_handler(number)

    def _receive(self, number: signal.Signals) -> None:
        if not self._first.done():
            self._first.set_result(signal.Signals(number).name)
            return
        log.warning("second signal: ending at once")
        _end_at_once(1)


def _end_at_once(code: int) -> NoReturn:
    """End the process without waiting for threads that are inside onnxruntime.

    An orderly exit would tear the interpreter down under them, which may crash it.
    """
    logging.shutdown()
    sys.stdout.flush()
    os._exit(code)
