"""What happens around every call, of any method: it is counted, and its errors become statuses.

Methods are wrapped once, when they are registered. Interceptors would do the same, but gRPC goes
through all of them for every call (measured: a tenth of the server's CPU time of a small call).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeAlias

import grpc
from google.protobuf.descriptor import Descriptor

from service.metrics import RpcMethod
from service.rpc import status
from service.rpc.ports import Call, CallMetrics
from service.rpc.wire import Unreadable, tolerant

__all__ = ["Registrar", "shape"]

if TYPE_CHECKING:  # generic for the type checker only
    Handler: TypeAlias = grpc.RpcMethodHandler[Any, Any]

# Counts a call from `__enter__` to `__exit__`.
Counting = Callable[[Call], "_Counted"]

# What ends a call without being an error of its servicer.
_NOT_ERRORS = (
    grpc.aio.AbortError,
    asyncio.CancelledError,
    GeneratorExit,
    KeyboardInterrupt,
    SystemExit,
)


class Registrar:
    """Takes servicers as a server does, and registers their methods on one, wrapped.

    `requests` maps "/package.Service/Method" to its request, if that is one message: those above
    `max_request_bytes`, and those that cannot be read, are refused in words.
    """

    def __init__(
        self,
        server: grpc.aio.Server,
        metrics: CallMetrics,
        requests: Mapping[str, Descriptor],
        max_request_bytes: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._server = server
        self._metrics = metrics
        self._requests = requests
        self._max_request_bytes = max_request_bytes
        self._clock = clock

    def add_generic_rpc_handlers(self, handlers: object) -> None:
        """Generated code adds the same methods in two ways; see the other."""

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Handler]) -> None:
        """Register the methods of a service."""
        wrapped = {name: self._wrapped(service, name, each) for name, each in handlers.items()}
        generic = grpc.method_handlers_generic_handler(service, wrapped)
        self._server.add_generic_rpc_handlers((generic,))
        self._server.add_registered_method_handlers(service, wrapped)

    def _wrapped(self, service: str, name: str, handler: Handler) -> Handler:
        """`handler`, with its behaviour counted, its errors translated and its requests checked."""
        kind = shape(handler.request_streaming, handler.response_streaming)
        method = RpcMethod(kind, service, name)
        read, write = handler.request_deserializer, handler.response_serializer
        request = self._requests.get(f"/{service}/{name}")
        if read is not None and request is not None:
            read = tolerant(read, request, self._max_request_bytes)

        def counting(call: Call) -> _Counted:
            return _Counted(self._metrics, method, call, self._clock)

        if handler.unary_unary:
            once = _once(handler.unary_unary, counting)
            return grpc.unary_unary_rpc_method_handler(once, read, write)
        if handler.unary_stream:
            stream = _stream(handler.unary_stream, counting)
            return grpc.unary_stream_rpc_method_handler(stream, read, write)
        if handler.stream_unary:
            once = _once(handler.stream_unary, counting)
            return grpc.stream_unary_rpc_method_handler(once, read, write)
        stream = _stream(handler.stream_stream, counting)
        return grpc.stream_stream_rpc_method_handler(stream, read, write)


class _Counted:
    """Counts one call by method and code, and its time.

    By leaving, and not by catching errors: `abort` raises an error of its own, and a cancelled call
    or one past its deadline arrives as CancelledError, which is no Exception.
    """

    __slots__ = ("_call", "_clock", "_method", "_metrics", "_start")

    def __init__(
        self, metrics: CallMetrics, method: RpcMethod, call: Call, clock: Callable[[], float]
    ) -> None:
        self._metrics = metrics
        self._method = method
        self._call = call
        self._clock = clock

    def __enter__(self) -> None:
        self._metrics.begins(self._method)
        self._start = self._clock()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        seconds = self._clock() - self._start
        self._metrics.ends(self._method, self._outcome(kind), seconds)

    def _outcome(self, kind: type[BaseException] | None) -> str:
        if kind is None:
            return _code(self._call, unset="OK")
        if issubclass(kind, asyncio.CancelledError):
            left = self._call.time_remaining()
            return "CANCELLED" if left is None or left > 0 else "DEADLINE_EXCEEDED"
        if issubclass(kind, GeneratorExit):  # the stream was dropped before its end
            return "CANCELLED"
        return _code(self._call, unset="UNKNOWN")


def shape(request_streaming: bool, response_streaming: bool) -> str:  # noqa: FBT001 - facts both
    """The word of the metrics for a shape of methods."""
    if request_streaming:
        return "bidi_stream" if response_streaming else "client_stream"
    return "server_stream" if response_streaming else "unary"


def _once(behaviour: Callable[..., Any], counting: Counting) -> Callable[..., Awaitable[Any]]:
    async def call_once(request: object, call: Call) -> object:
        with counting(call):
            try:
                if isinstance(request, Unreadable):
                    raise request.error
                return await behaviour(request, call)
            except _NOT_ERRORS:
                raise
            except BaseException as error:  # noqa: BLE001 - a panic in a Rust library is no Exception
                await status.abort(call, error)

    return call_once


def _stream(behaviour: Callable[..., Any] | None, counting: Counting) -> Callable[..., Any]:
    assert behaviour is not None

    async def call_stream(request: object, call: Call) -> AsyncIterator[object]:
        with counting(call):
            try:
                if isinstance(request, Unreadable):
                    raise request.error
                async for answer in behaviour(request, call):
                    yield answer
            except _NOT_ERRORS:
                raise
            except BaseException as error:  # noqa: BLE001 - see above
                await status.abort(call, error)

    return call_stream


def _code(call: Call, unset: str) -> str:
    """The code that the servicer has set or aborted with, by name."""
    code = call.code()
    if isinstance(code, int):
        code = next((each for each in grpc.StatusCode if each.value[0] == code), None)
    return unset if code is None else code.name
