"""What happens around every call, of any method: it is counted, and its errors become statuses.

An interceptor here is one asynchronous context manager per call, so the four shapes of gRPC
methods are told apart in a single place.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import grpc
from google.protobuf.descriptor import Descriptor

from service.metrics import RpcMethod
from service.rpc import status
from service.rpc.ports import Call, CallMetrics
from service.rpc.wire import Unreadable, tolerant

__all__ = ["CountCalls", "TranslateErrors", "shape"]

if TYPE_CHECKING:  # generic for the type checker only
    Handler: TypeAlias = grpc.RpcMethodHandler[Any, Any]
    Continuation: TypeAlias = Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]]

# What goes around the behaviour of a call, given the call and its request (or stream of them).
Around = Callable[[Call, object], AbstractAsyncContextManager[None]]

# What ends a call without being an error of its servicer.
_NOT_ERRORS = (
    grpc.aio.AbortError,
    asyncio.CancelledError,
    GeneratorExit,
    KeyboardInterrupt,
    SystemExit,
)


class CountCalls(grpc.aio.ServerInterceptor):
    """Counts calls by method and code, and their time; the outermost interceptor.

    With `finally`, since `abort` raises an error of its own, and a cancelled call or one past its
    deadline arrives as CancelledError, which is no Exception.
    """

    def __init__(self, metrics: CallMetrics, clock: Callable[[], float] = time.monotonic) -> None:
        self._metrics = metrics
        self._clock = clock
        self._wrapped = _Once()

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler | None:
        """Wrap the handler of this call."""
        handler = await continuation(handler_call_details)
        if handler is None:  # no such method; gRPC answers UNIMPLEMENTED
            return None
        path = handler_call_details.method
        return self._wrapped.get(path, handler, lambda: self._counting(path, handler))

    def _counting(self, path: str, handler: Handler) -> Handler:
        _, service, name = path.split("/", 2)
        kind = shape(handler.request_streaming, handler.response_streaming)
        method = RpcMethod(kind, service, name)
        return _wrapped(handler, lambda call, _: self._counted(method, call))

    @asynccontextmanager
    async def _counted(self, method: RpcMethod, call: Call) -> AsyncIterator[None]:
        self._metrics.rpc_begins(method)
        start = self._clock()
        code = "UNKNOWN"
        try:
            yield
            code = _code(call, unset="OK")
        except asyncio.CancelledError:
            left = call.time_remaining()
            code = "CANCELLED" if left is None or left > 0 else "DEADLINE_EXCEEDED"
            raise
        except GeneratorExit:  # the stream was dropped before its end
            code = "CANCELLED"
            raise
        except BaseException:
            code = _code(call, unset="UNKNOWN")
            raise
        finally:
            self._metrics.rpc_ends(method, code, self._clock() - start)


class TranslateErrors(grpc.aio.ServerInterceptor):
    """Turns whatever a servicer raises, and requests that cannot be read, into a status."""

    def __init__(self, requests: Mapping[str, Descriptor], max_request_bytes: int) -> None:
        """`requests` maps "/package.Service/Method" to its request, if that is one message."""
        self._requests = requests
        self._max_request_bytes = max_request_bytes
        self._wrapped = _Once()

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler | None:
        """Wrap the handler of this call."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        path = handler_call_details.method
        return self._wrapped.get(path, handler, lambda: self._translating(path, handler))

    def _translating(self, path: str, handler: Handler) -> Handler:
        read = handler.request_deserializer
        kind = self._requests.get(path)
        if read is not None and kind is not None:
            read = tolerant(read, kind, self._max_request_bytes)
        return _wrapped(handler, _translating, read)


@asynccontextmanager
async def _translating(call: Call, request: object) -> AsyncIterator[None]:
    try:
        if isinstance(request, Unreadable):
            raise request.error
        yield
    except _NOT_ERRORS:
        raise
    except BaseException as error:  # noqa: BLE001 - a panic in a Rust library is no Exception
        await status.abort(call, error)


def shape(request_streaming: bool, response_streaming: bool) -> str:  # noqa: FBT001 - facts both
    """The word of the metrics for a shape of methods."""
    if request_streaming:
        return "bidi_stream" if response_streaming else "client_stream"
    return "server_stream" if response_streaming else "unary"


class _Once:
    """Handlers are wrapped once per method, not once per call."""

    def __init__(self) -> None:
        self._made: dict[str, tuple[Handler, Handler]] = {}

    def get(self, path: str, handler: Handler, wrap: Callable[[], Handler]) -> Handler:
        """What `wrap` made, the first time, of this very handler."""
        made = self._made.get(path)
        if made is None or made[0] is not handler:
            made = self._made[path] = (handler, wrap())
        return made[1]


def _wrapped(
    handler: Handler, around: Around, read: Callable[[bytes], Any] | None = None
) -> Handler:
    """`handler` with its behaviour run inside `around`, and its requests read by `read`."""
    read = read or handler.request_deserializer
    write = handler.response_serializer
    if handler.unary_unary:
        behaviour = _once(handler.unary_unary, around)
        return grpc.unary_unary_rpc_method_handler(behaviour, read, write)
    if handler.unary_stream:
        stream = _stream(handler.unary_stream, around)
        return grpc.unary_stream_rpc_method_handler(stream, read, write)
    if handler.stream_unary:
        behaviour = _once(handler.stream_unary, around)
        return grpc.stream_unary_rpc_method_handler(behaviour, read, write)
    stream = _stream(handler.stream_stream, around)
    return grpc.stream_stream_rpc_method_handler(stream, read, write)


def _once(behaviour: Callable[..., Any], around: Around) -> Callable[..., Awaitable[Any]]:
    async def call_once(request: object, call: Call) -> object:
        async with around(call, request):
            return await behaviour(request, call)

    return call_once


def _stream(behaviour: Callable[..., Any] | None, around: Around) -> Callable[..., Any]:
    assert behaviour is not None

    async def call_stream(request: object, call: Call) -> AsyncIterator[object]:
        async with around(call, request):
            async for answer in behaviour(request, call):
                yield answer

    return call_stream


def _code(call: Call, unset: str) -> str:
    """The code that the servicer has set or aborted with, by name."""
    code = call.code()
    if isinstance(code, int):
        code = next((each for each in grpc.StatusCode if each.value[0] == code), None)
    return unset if code is None else code.name
