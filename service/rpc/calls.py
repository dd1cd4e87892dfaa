"""What happens around every call, whatever its method: it is counted, and its errors are translated.

An interceptor here is one asynchronous context manager per call, so the four shapes of gRPC
methods are told apart in a single place.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import grpc
from google.protobuf.descriptor import Descriptor

from service.metrics import RpcMethod
from service.rpc import status
from service.rpc.ports import CallMetrics
from service.rpc.wire import Unreadable, tolerant

__all__ = ["CountCalls", "TranslateErrors"]

Context = grpc.aio.ServicerContext[Any, Any]
Handler = grpc.RpcMethodHandler[Any, Any]
Around = Callable[[Context], AbstractAsyncContextManager[None]]
Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[Handler]]

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

    def __init__(
        self, metrics: CallMetrics, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._metrics = metrics
        self._clock = clock

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler:
        """Wrap the handler of this call."""
        handler = await continuation(handler_call_details)
        if handler is None:  # no such method; gRPC answers UNIMPLEMENTED
            return handler
        _, service, name = handler_call_details.method.split("/", 2)
        method = RpcMethod(_shape(handler), service, name)

        @asynccontextmanager
        async def counted(context: Context) -> AsyncIterator[None]:
            self._metrics.rpc_begins(method)
            start = self._clock()
            code = "UNKNOWN"
            try:
                yield
                code = _code(context)
            except asyncio.CancelledError:
                late = (left := context.time_remaining()) is not None and left <= 0
                code = "DEADLINE_EXCEEDED" if late else "CANCELLED"
                raise
            except BaseException:
                code = _code(context, "UNKNOWN")
                raise
            finally:
                self._metrics.rpc_ends(method, code, self._clock() - start)

        return _wrapped(handler, counted)


class TranslateErrors(grpc.aio.ServerInterceptor):
    """Turns whatever a servicer raises, and requests that cannot be read, into a status."""

    def __init__(self, requests: Mapping[str, Descriptor], max_request_bytes: int) -> None:
        """`requests` maps the path of a unary method, "/package.Service/Method", to its request."""
        self._requests = requests
        self._max_request_bytes = max_request_bytes

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler:
        """Wrap the handler of this call."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return handler
        handler = _wrapped(handler, _translating)
        kind = self._requests.get(handler_call_details.method)
        if kind is None or handler.request_deserializer is None:
            return handler
        return handler._replace(  # type: ignore[attr-defined]  # it is a named tuple
            request_deserializer=tolerant(
                handler.request_deserializer, kind, self._max_request_bytes
            )
        )


@asynccontextmanager
async def _translating(context: Context) -> AsyncIterator[None]:
    try:
        yield
    except _NOT_ERRORS:
        raise
    except BaseException as error:  # noqa: BLE001 - a panic in a Rust library is no Exception
        await status.abort(context, error)


def _wrapped(handler: Handler, around: Around) -> Handler:
    """`handler`, with its behaviour run inside `around`; requests of one message are read first."""

    def once(behaviour: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def call(request: object, context: Context) -> object:
            async with around(context):
                return await behaviour(_readable(request), context)

        return call

    def stream(behaviour: Callable[..., AsyncIterator[Any]]) -> Callable[..., AsyncIterator[Any]]:
        async def call(request: object, context: Context) -> AsyncIterator[Any]:
            async with around(context):
                async for answer in behaviour(_readable(request), context):
                    yield answer

        return call

    return handler._replace(  # type: ignore[attr-defined]  # it is a named tuple
        unary_unary=handler.unary_unary and once(handler.unary_unary),
        stream_unary=handler.stream_unary and once(handler.stream_unary),
        unary_stream=handler.unary_stream and stream(handler.unary_stream),
        stream_stream=handler.stream_stream and stream(handler.stream_stream),
    )


def _readable(request: object) -> object:
    if isinstance(request, Unreadable):
        raise request.error
    return request


def _shape(handler: Handler) -> str:
    return {
        (False, False): "unary",
        (True, False): "client_stream",
        (False, True): "server_stream",
        (True, True): "bidi_stream",
    }[bool(handler.request_streaming), bool(handler.response_streaming)]


def _code(context: Context, unset: str = "OK") -> str:
    """The code that the servicer has set or aborted with, by name."""
    code = context.code()
    if isinstance(code, int):
        code = next((each for each in grpc.StatusCode if each.value[0] == code), None)
    return unset if code is None else code.name
