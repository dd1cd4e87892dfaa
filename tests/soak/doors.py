"""Two ways to the same model: the servicer in this process, and a server process through gRPC."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import grpc

from service.bundle import Manifest, open_bundle
from service.decoding import Engine, EngineLimits
from service.decoding.session import OnnxStepper
from service.errors import ParleyError
from service.metrics import Metrics, new_registry
from service.registry.loader import Meter, MeteredEngine
from service.rpc.limits import Limits
from service.rpc.pb.parley.v1 import translation_pb2 as pb
from service.rpc.pb.parley.v1 import translation_pb2_grpc as pb_grpc
from service.rpc.servicer import TranslationServicer
from service.rpc.status import CODES
from service.translation import Translator
from tests.system.server import Server

_DEFAULT_DEADLINE = 600.0


class Answer(NamedTuple):
    """What a call came to: a status and its message, and the response without its timings."""

    code: str
    message: str = ""
    response: bytes = b""

    @classmethod
    def of(cls, response: pb.TranslateResponse) -> "Answer":
        for each in response.translations:
            each.ClearField("timings")
        return cls("OK", "", response.SerializeToString(deterministic=True))


class Door(Protocol):
    """Where visitors ask."""

    async def ask(self, request: pb.TranslateRequest, deadline: float | None) -> Answer: ...


@dataclass
class _Loaded:
    """The one version there is, as the servicer holds it."""

    name: str
    version: int
    manifest: Manifest
    translator: Translator
    serving: bool = True
    state: str = "ready"
    reason: str = ""


class InProcess:
    """The servicer, the translator and the engine with its thread, without gRPC between them."""

    def __init__(self, path: Path, limits: EngineLimits, threads: int = 1) -> None:
        bundle = open_bundle(path)
        manifest = bundle.manifest
        self.stepper = OnnxStepper.from_bundle(bundle, threads=threads)
        self.metrics = Metrics(new_registry())
        meter = Meter()
        self.engine = Engine(self.stepper, limits, on_step=meter.step)
        meter.metrics = self.metrics.engines.open(
            manifest.name, manifest.version, limits.max_rows, self.engine
        )
        translator = Translator(bundle, MeteredEngine(self.engine, meter))
        self._loaded = _Loaded(manifest.name, manifest.version, manifest, translator)
        self._servicer = TranslationServicer(self, Limits())
        self.engine.start()

    def list(self) -> Sequence[_Loaded]:
        return [self._loaded]

    @contextmanager
    def acquire(self, _model: str | None, _version: int | None) -> Iterator[_Loaded]:
        yield self._loaded

    async def ask(self, request: pb.TranslateRequest, deadline: float | None) -> Answer:
        try:
            return Answer.of(await self._servicer.Translate(request, _Call(deadline)))
        except ParleyError as error:
            code = next((CODES[c].name for c in type(error).__mro__ if c in CODES), "INTERNAL")
            return Answer(code, str(error))

    def left_behind(self) -> dict[str, float]:
        """What is still held though nobody waits; nothing, it is to be hoped."""
        engine = self.engine
        found = {
            "waiting": engine.queue_depth,
            "rows": engine.live_rows,
            "futures": engine.unanswered,
            "sources": len(self.stepper._memories.places_B),
            "states": len(self.stepper._states),
        }
        labels = {"model": self._loaded.name, "version": str(self._loaded.version)}
        for gauge in ("parley_queue_depth", "parley_live_rows"):
            value = self.metrics.registry.get_sample_value(gauge, labels)
            found[gauge] = -1 if value is None else value
        return {what: value for what, value in found.items() if value}


class _Call:
    """The little that the servicer asks of a call."""

    def __init__(self, deadline: float | None) -> None:
        self._end = time.monotonic() + (_DEFAULT_DEADLINE if deadline is None else deadline)

    def time_remaining(self) -> float:
        return max(0.0, self._end - time.monotonic())


class OverGrpc:
    """A server process; the connection belongs to the running event loop."""

    def __init__(self, server: Server, model: str) -> None:
        self._server = server
        self._model = model
        options = [("grpc.max_receive_message_length", -1)]
        self._channel = grpc.aio.insecure_channel(server.grpc_address, options=options)
        self._stub = pb_grpc.TranslationStub(self._channel)

    async def ask(self, request: pb.TranslateRequest, deadline: float | None) -> Answer:
        timeout = _DEFAULT_DEADLINE if deadline is None else deadline
        try:
            return Answer.of(await self._stub.Translate(request, timeout=timeout))
        except grpc.aio.AioRpcError as error:
            return Answer(error.code().name, error.details() or "")

    def left_behind(self) -> dict[str, float]:
        """As its metrics tell."""
        name, _, version = self._model.partition("/")
        labels = f'{{model="{name}",version="{version}"}}'
        gauges = [f"parley_queue_depth{labels}", f"parley_live_rows{labels}"]
        return {gauge: value for gauge in gauges if (value := self._server.metric(gauge))}

    async def close(self) -> None:
        await self._channel.close()
