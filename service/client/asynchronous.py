"""The client for asyncio: the same calls, awaited; cancelling one stops its work in the server."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Self, TypeVar, Unpack

import grpc

from service.client.messages import (
    DEFAULT_SERVER,
    Options,
    channel_options,
    failure,
    request,
)
from service.rpc.pb.parley.v1 import translation_pb2 as pb
from service.rpc.pb.parley.v1 import translation_pb2_grpc as pb_grpc

__all__ = ["AsyncClient"]

T = TypeVar("T")


class AsyncClient:
    """A connection to one server, for one event loop. Every method raises CallFailed.

    `timeout` is the time in seconds for one attempt. When the server is full or draining and says
    when to come back, the client does, at most `retries` times.
    """

    def __init__(
        self, server: str = DEFAULT_SERVER, *, timeout: float = 60.0, retries: int = 4
    ) -> None:
        self.server = server
        self._timeout = timeout
        self._retries = retries
        self._channel = grpc.aio.insecure_channel(server, options=channel_options())
        self._stub = pb_grpc.TranslationStub(self._channel)

    async def translate(self, text: str, **options: Unpack[Options]) -> pb.TranslationResult:
        """Translate one text; see `Options`."""
        return (await self.translate_all([text], **options))[0]

    async def translate_all(
        self, texts: Sequence[str], **options: Unpack[Options]
    ) -> list[pb.TranslationResult]:
        """Translate several texts in one call; the answers are in their order."""
        response: pb.TranslateResponse = await self._ask(
            self._stub.Translate, request(texts, options)
        )
        return list(response.translations)

    async def models(self) -> list[pb.Model]:
        """Every model version that the server knows, by name, newest first."""
        response: pb.ListModelsResponse = await self._ask(
            self._stub.ListModels, pb.ListModelsRequest()
        )
        return list(response.models)

    async def languages(self) -> pb.SupportedLanguages:
        """The language pairs that can be asked for now."""
        response: pb.SupportedLanguages = await self._ask(
            self._stub.GetSupportedLanguages, pb.GetSupportedLanguagesRequest()
        )
        return response

    async def close(self) -> None:
        """End the connection; calls that run are cancelled."""
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _ask(self, method: Callable[..., Awaitable[T]], message: Any) -> T:
        attempt = 0
        while True:
            try:
                return await method(message, timeout=self._timeout)
            except grpc.aio.AioRpcError as error:
                failed = failure(error, self.server)
                if failed.retry_after_s is None or attempt >= self._retries:
                    raise failed from None
            await asyncio.sleep(failed.retry_after_s)
            attempt += 1
