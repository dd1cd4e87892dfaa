"""What the gRPC door needs from the floors below it, and no more.

`service.registry.Manager` and `service.metrics.RpcMetrics` fit these shapes; so do the small
fakes of the tests.
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import NoReturn, Protocol

import grpc

from service.bundle import Manifest
from service.metrics import RpcMethod
from service.translation import TranslateOptions, Translation, Window

__all__ = [
    "Call",
    "CallMetrics",
    "LoadedVersion",
    "Models",
    "TextTranslator",
    "VersionStatus",
]


class Call(Protocol):
    """What the door uses of a `grpc.aio.ServicerContext`, with the types that it really has."""

    def time_remaining(self) -> float | None:
        """Seconds until the caller's deadline, 0 when it has passed; None without a deadline."""

    def code(self) -> grpc.StatusCode | int | None:
        """The status set so far; None while the call is good, or was cancelled."""

    async def abort(
        self,
        code: grpc.StatusCode,
        details: str = "",
        trailing_metadata: Sequence[tuple[str, str | bytes]] = (),
    ) -> NoReturn:
        """End the call with a status, by raising AbortError."""


class TextTranslator(Protocol):
    """Text in, text out, on one model version (see `service.translation.Translator`)."""

    async def translate(
        self,
        text: str,
        options: TranslateOptions,
        window: Window | None = None,
        *,
        deadline: float | None = None,
    ) -> Translation:
        """Translate one text; cancelling the call takes its work out of the engine."""


class LoadedVersion(Protocol):
    """A READY version that stays loaded for as long as somebody holds it."""

    @property
    def name(self) -> str:
        """The model's name."""

    @property
    def version(self) -> int:
        """Its version."""

    @property
    def manifest(self) -> Manifest:
        """What it says about itself."""

    @property
    def translator(self) -> TextTranslator:
        """What it does."""


class VersionStatus(Protocol):
    """One line of the list of models."""

    @property
    def name(self) -> str:
        """The model's name."""

    @property
    def version(self) -> int:
        """The version."""

    @property
    def state(self) -> str:
        """new, loading, ready, quiescing, unloaded or failed (a StrEnum fits)."""

    @property
    def reason(self) -> str:
        """Why the state is FAILED, or what a version that is not loaded waits for."""

    @property
    def serving(self) -> bool:
        """Whether it answers when its name is asked for without a version."""

    @property
    def manifest(self) -> Manifest | None:
        """What it says about itself; None as long as that could not be read."""


class Models(Protocol):
    """The versions this server has, as `service.registry.Manager` keeps them."""

    def acquire(
        self, model: str | None, version: int | None
    ) -> AbstractContextManager[LoadedVersion]:
        """Hold a READY version: the given one, or the one serving `model` when version is None.

        Raises NotFound when there is none of that name, and Unavailable when there is one but it
        is not ready.
        """

    def list(self) -> Sequence[VersionStatus]:
        """Every version known, in any order."""


class CallMetrics(Protocol):
    """Where calls are counted (see `service.metrics.RpcMetrics`)."""

    def declare(self, methods: Iterable[RpcMethod]) -> None:
        """Create the series of these methods, at zero, for every code."""

    def begins(self, method: RpcMethod) -> None:
        """A call has begun."""

    def ends(self, method: RpcMethod, code: str, seconds: float) -> None:
        """A call has ended with this code, such as "OK" or "INVALID_ARGUMENT"."""
