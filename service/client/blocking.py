"""The client for ordinary code: every call returns when its answer is there."""

import time
from collections.abc import Callable, Sequence
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

__all__ = ["Client"]

T = TypeVar("T")


class Client:
    """A connection to one server; safe to use from several threads. Every method raises CallFailed.

    `timeout` is the time in seconds for one attempt. When the server is full or draining and says
    when to come back, the client does, at most `retries` times.
    """

    def __init__(
        self, server: str = DEFAULT_SERVER, *, timeout: float = 60.0, retries: int = 4
    ) -> None:
        self.server = server
        self._timeout = timeout
        self._retries = retries
        self._channel = grpc.insecure_channel(server, options=channel_options())
        self._stub = pb_grpc.TranslationStub(self._channel)

    def translate(self, text: str, **options: Unpack[Options]) -> pb.TranslationResult:
        """Translate one text; see `Options`."""
        return self.translate_all([text], **options)[0]

    def translate_all(
        self, texts: Sequence[str], **options: Unpack[Options]
    ) -> list[pb.TranslationResult]:
        """Translate several texts in one call; the answers are in their order."""
        response: pb.TranslateResponse = self._ask(self._stub.Translate, request(texts, options))
        return list(response.translations)

    def models(self) -> list[pb.Model]:
        """Every model version that the server knows, by name, newest first."""
        response: pb.ListModelsResponse = self._ask(self._stub.ListModels, pb.ListModelsRequest())
        return list(response.models)

    def languages(self) -> pb.SupportedLanguages:
        """The language pairs that can be asked for now."""
        response: pb.SupportedLanguages = self._ask(
            self._stub.GetSupportedLanguages, pb.GetSupportedLanguagesRequest()
        )
        return response

    def close(self) -> None:
        """End the connection."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, method: Callable[..., T], message: Any) -> T:
        attempt = 0
        while True:
            try:
                return method(message, timeout=self._timeout)
            except grpc.RpcError as error:
                failed = failure(error, self.server)
                if failed.retry_after_s is None or attempt >= self._retries:
                    raise failed from None
            time.sleep(failed.retry_after_s)
            attempt += 1
