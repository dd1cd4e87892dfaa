"""The translator of one model version."""

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Protocol

from service.bundle import Bundle
from service.decoding import DecodeRequest, DecodeResult
from service.translation.options import TranslateOptions
from service.translation.result import Translation

__all__ = ["DecodingEngine", "Translator"]


class DecodingEngine(Protocol):
    """What a translator needs of `service.decoding.Engine`."""

    def submit(self, request: DecodeRequest) -> Future[DecodeResult]:
        """Queue one sentence. Raises Overloaded when it cannot be taken."""

    def decode(self, requests: Sequence[DecodeRequest]) -> Sequence[DecodeResult]:
        """Decode these here and now, in the caller's thread."""


class Translator:
    """Text in, text out, on one bundle and the engine that runs it."""

    def __init__(self, bundle: Bundle, engine: DecodingEngine) -> None:
        raise NotImplementedError

    async def translate(self, text: str, options: TranslateOptions) -> Translation:
        """Translate one text; cancelling the call takes its sentences out of the engine."""
        raise NotImplementedError

    def translate_now(
        self, texts: Sequence[str], options: TranslateOptions
    ) -> list[Translation]:
        """The same for tools and tests: in the caller's thread, with `engine.decode`."""
        raise NotImplementedError
