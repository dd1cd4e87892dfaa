"""What the gRPC door needs from the floors below it, and no more.

`service.registry` and `service.metrics` fit these shapes; so do the small fakes of the tests.
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from service.bundle.manifest import Manifest
from service.translation import TranslateOptions, Translation

__all__ = ["CallMetrics", "LoadedVersion", "Models", "TextTranslator", "VersionStatus"]


class TextTranslator(Protocol):
    """Text in, text out, on one model version (see `service.translation.Translator`)."""

    async def translate(self, text: str, options: TranslateOptions) -> Translation:
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
        """NEW, LOADING, READY, QUIESCING, UNLOADED or FAILED (a StrEnum fits, in any case)."""

    @property
    def reason(self) -> str:
        """Why the state is FAILED; empty otherwise."""

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
    """Where calls are counted: grpc_server_started_total, _handled_total, _handling_seconds."""

    def grpc_prepare(self, calls: Iterable[tuple[str, str, str]]) -> None:
        """Create the series of these (type, service, method), at zero, for every code."""

    def grpc_started(self, grpc_type: str, grpc_service: str, grpc_method: str) -> None:
        """A call has begun. The type is unary, client_stream, server_stream or bidi_stream."""

    def grpc_handled(
        self, grpc_type: str, grpc_service: str, grpc_method: str, grpc_code: str, seconds: float
    ) -> None:
        """A call has ended with this code, such as "OK" or "InvalidArgument"."""
