"""A registry of models that exist only here, and a server on it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

import grpc

from service.bundle import Manifest
from service.decoding import FinishReason
from service.errors import NotFound, Unavailable
from service.metrics import GRPC_CODES, Metrics, new_registry
from service.rpc.limits import Limits
from service.rpc.pb.parley.v1 import translation_pb2_grpc as pb_grpc
from service.rpc.server import RpcServer, build_server
from service.translation import (
    TextHypothesis,
    TokenScore,
    TranslateOptions,
    Translation,
    Window,
)
from tests.unit.translation.fakes import manifest


class FakeTranslator:
    """Translates into capitals; what is in `troubles` is raised, and "wait" is never answered."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, TranslateOptions]] = []
        self.deadlines: list[float | None] = []
        self.troubles: dict[str, BaseException] = {}
        self.cancelled: list[str] = []

    async def translate(
        self,
        text: str,
        options: TranslateOptions,
        window: Window | None = None,
        *,
        deadline: float | None = None,
    ) -> Translation:
        self.asked.append((text, options))
        self.deadlines.append(deadline)
        if text in self.troubles:
            raise self.troubles[text]
        try:
            # Later texts are done earlier: only their places can bring them into order.
            await asyncio.sleep(3600 if text == "wait" else 0.01 / len(self.asked))
        except asyncio.CancelledError:
            self.cancelled.append(text)
            raise
        return translation(text.upper())


def translation(text: str) -> Translation:
    """A translation with all its details."""
    tokens = (
        TokenScore(piece=text, log_prob=-0.25, source_index=0),
        TokenScore(piece="</s>", log_prob=-0.5),
    )
    hypothesis = TextHypothesis(
        text=text, score=-0.375, log_prob=-0.75, finish_reason=FinishReason.STOP, tokens=tokens
    )
    return Translation(
        hypotheses=(hypothesis,),
        source_pieces=(text.lower(), "</s>"),
        segments=1,
        queue_seconds=0.25,
        decode_seconds=0.5,
        first_token_seconds=0.375,
    )


@dataclass
class FakeVersion:
    """One version: its line in the list, and what a request holds of it."""

    name: str = "m"
    version: int = 1
    state: str = "ready"
    reason: str = ""
    serving: bool = True
    manifest: Manifest | None = field(default_factory=manifest)
    translator: FakeTranslator = field(default_factory=FakeTranslator)
    held: int = 0


class FakeModels:
    """A registry that keeps what it is given."""

    def __init__(self, *versions: FakeVersion) -> None:
        self.versions = list(versions)

    def list(self) -> list[FakeVersion]:
        return self.versions

    @contextmanager
    def acquire(self, model: str | None, version: int | None) -> Iterator[FakeVersion]:
        named = [each for each in self.versions if each.name == model]
        if not named:
            raise NotFound("model", str(model), {each.name for each in self.versions})
        wanted = [each for each in named if version in (None, each.version)]
        ready = [each for each in wanted if each.state == "ready"]
        if not ready:
            raise Unavailable(f"model '{model}' is not ready")
        found = ready[0]
        found.held += 1
        try:
            yield found
        finally:
            found.held -= 1


@dataclass
class Running:
    """A server that listens, a channel to it, and what it counts."""

    server: RpcServer
    port: int
    channel: grpc.aio.Channel
    metrics: Metrics

    @property
    def stub(self) -> pb_grpc.TranslationStub:
        return pb_grpc.TranslationStub(self.channel)

    def handled(
        self, code: str, method: str = "Translate", service: str = "parley.v1.Translation"
    ) -> float | None:
        """How many calls of a unary method have ended with a code."""
        labels = {"grpc_type": "unary", "grpc_service": service, "grpc_method": method}
        return self.metrics.registry.get_sample_value(
            "grpc_server_handled_total", {**labels, "grpc_code": GRPC_CODES[code]}
        )


@asynccontextmanager
async def running(models: FakeModels, limits: Limits | None = None) -> AsyncIterator[Running]:
    """Serve `models` on a free port."""
    metrics = Metrics(new_registry())
    server = build_server(models, metrics.rpc, limits or Limits())
    port = await server.start("127.0.0.1", 0)
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield Running(server, port, channel, metrics)
    finally:
        await server.stop(0)


async def until(condition: Callable[[], object]) -> None:
    """Wait for what the other side of a connection does."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - what is waited for knows nothing of events
            await asyncio.sleep(0.001)
