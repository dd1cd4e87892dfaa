"""The HTTP door: /metrics for Prometheus, /livez and /readyz for whoever keeps the process.

Small on purpose: GET and HEAD, no bodies, on the event loop that also serves gRPC. So a loop that
is stuck cannot answer /livez, which is just what the probe wants to know.
"""

import asyncio
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from service.errors import ListenError
from service.settings import Address

log = logging.getLogger(__name__)

_TEXT = "text/plain; charset=utf-8"
_HEAD_LIMIT = 16 * 1024
_IDLE_SECONDS = 75.0  # longer than a scrape interval, so that Prometheus keeps its connection
_MAX_CONNECTIONS = 128
_INDEX = (
    "Parley\n\n/metrics  for Prometheus\n/livez    is it alive?\n/readyz   may it get traffic?\n"
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to a probe: yes or no, and why in a few lines."""

    ok: bool
    text: str


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    path: str
    accept: str
    keep_alive: bool


@dataclass(frozen=True, slots=True)
class _Response:
    status: HTTPStatus
    body: bytes
    content_type: str = _TEXT


class Monitor:
    """Serves `registry` and the two probes; lives on one event loop."""

    def __init__(
        self,
        registry: CollectorRegistry,
        *,
        alive: Callable[[], Verdict],
        ready: Callable[[], Verdict],
    ) -> None:
        self._registry = registry
        self._alive = alive
        self._ready = ready
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self, address: Address) -> Address:
        """Listen; returns the address with the port that was bound. Raises ListenError."""
        try:
            self._server = await asyncio.start_server(
                self._accept, address.host, address.port, limit=_HEAD_LIMIT
            )
        except OSError as error:
            raise ListenError(str(address), _problem(error)) from error
        return Address(address.host, self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close the address and every connection."""
        if self._server is None:
            return
        self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            if len(self._connections) <= _MAX_CONNECTIONS:
                await self._converse(reader, writer)
        except (TimeoutError, ConnectionError, asyncio.IncompleteReadError):
            pass  # the other side went away, or never said anything
        except asyncio.CancelledError:
            pass  # the server stops; asyncio would log a task that ends by cancellation
        except Exception:
            log.exception("an HTTP connection failed")
        finally:
            self._connections.discard(task)
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        keep_alive = True
        while keep_alive:
            try:
                async with asyncio.timeout(_IDLE_SECONDS):
                    head = await reader.readuntil(b"\r\n\r\n")
                request = _parse(head)
            except (ValueError, asyncio.LimitOverrunError):
                request = _Request("GET", "", "", keep_alive=False)
                response = _plain(HTTPStatus.BAD_REQUEST, "not an HTTP request\n")
            else:
                response = await self._answer(request)
            keep_alive = request.keep_alive
            writer.write(_render(request, response))
            async with asyncio.timeout(_IDLE_SECONDS):  # for those who ask and do not listen
                await writer.drain()

    async def _answer(self, request: _Request) -> _Response:
        if request.method not in {"GET", "HEAD"}:
            return _plain(HTTPStatus.METHOD_NOT_ALLOWED, "only GET and HEAD\n")
        match request.path:
            case "/metrics":
                encode, content_type = choose_encoder(request.accept)
                # In a thread: it walks every series, and calls are being served meanwhile.
                body = await asyncio.to_thread(encode, self._registry)
                return _Response(HTTPStatus.OK, body, content_type)
            case "/livez":
                return _judge(self._alive())
            case "/readyz":
                return _judge(self._ready())
            case "/":
                return _plain(HTTPStatus.OK, _INDEX)
            case _:
                return _plain(HTTPStatus.NOT_FOUND, "no such page; see /\n")


def _problem(error: OSError) -> str:
    """Why an address cannot be opened, in the words of the system alone; asyncio adds its own."""
    number = error.errno or 0  # negative for a name that does not resolve
    reason = os.strerror(number) if number > 0 else error.strerror or str(error)
    return f"{reason}; is another server running there?" if "in use" in reason else reason


def _parse(head: bytes) -> _Request:
    lines = head.decode("latin-1").split("\r\n")
    method, target, version = lines[0].split(" ")
    if not version.startswith("HTTP/1."):
        raise ValueError(version)
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    wants_close = headers.get("connection", "").lower() == "close" or version == "HTTP/1.0"
    has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
    return _Request(
        method=method,
        path=target.partition("?")[0],
        accept=headers.get("accept", ""),
        keep_alive=not wants_close and not has_body,  # a body is never read, so nothing follows it
    )


def _judge(verdict: Verdict) -> _Response:
    return _plain(HTTPStatus.OK if verdict.ok else HTTPStatus.SERVICE_UNAVAILABLE, verdict.text)


def _plain(status: HTTPStatus, text: str) -> _Response:
    return _Response(status, text.encode())


def _render(request: _Request, response: _Response) -> bytes:
    head = (
        f"HTTP/1.1 {response.status.value} {response.status.phrase}\r\n"
        f"Content-Type: {response.content_type}\r\n"
        f"Content-Length: {len(response.body)}\r\n"
        f"Connection: {'keep-alive' if request.keep_alive else 'close'}\r\n"
        "Cache-Control: no-store\r\n\r\n"
    )
    return head.encode("latin-1") + (b"" if request.method == "HEAD" else response.body)
