"""The HTTP door: three pages, no surprises, whatever the other side sends."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from prometheus_client import CollectorRegistry, Counter

from service.errors import ListenError
from service.monitor import Monitor, Verdict
from service.settings import Address

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bytes]]


class Probes:
    """The two answers, to be changed by a test."""

    def __init__(self) -> None:
        self.alive = Verdict(ok=True, text="alive\n")
        self.ready = Verdict(ok=False, text="not ready\nm/1 loading\n")

    def monitor(self) -> Monitor:
        registry = CollectorRegistry()
        Counter("parley_events_total", "Events.", registry=registry).inc(3)
        return Monitor(registry, alive=lambda: self.alive, ready=lambda: self.ready)


@pytest.fixture
def probes() -> Probes:
    return Probes()


def converse(probes: Probes, talk: Talk) -> bytes:
    async def session() -> bytes:
        monitor = probes.monitor()
        address = await monitor.start(Address("127.0.0.1", 0))
        try:
            reader, writer = await asyncio.open_connection(address.host, address.port)
            async with asyncio.timeout(10):
                answer = await talk(reader, writer)
            writer.close()
            return answer
        finally:
            await monitor.stop()

    return asyncio.run(session())


def send(probes: Probes, request: bytes) -> bytes:
    """Everything that comes back until the monitor closes the connection."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(request)
        return await reader.read()

    return converse(probes, talk)


def get(probes: Probes, path: str, *headers: str, method: str = "GET") -> tuple[int, str, str]:
    """Status, headers and body of one request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: x", "Connection: close", *headers, "", ""]
    head, _, body = send(probes, "\r\n".join(lines).encode()).decode().partition("\r\n\r\n")
    return int(head.split(" ")[1]), head, body


def test_metrics_are_those_of_the_registry(probes: Probes) -> None:
    status, head, body = get(probes, "/metrics")

    assert 200 == status
    assert "text/plain; version=" in head
    assert "parley_events_total 3.0\n" in body


def test_metrics_speak_openmetrics_when_asked(probes: Probes) -> None:
    _, head, body = get(probes, "/metrics", "Accept: application/openmetrics-text; version=1.0.0")

    assert "Content-Type: application/openmetrics-text" in head
    assert body.endswith("# EOF\n")


def test_probes_say_yes_with_200_and_no_with_503(probes: Probes) -> None:
    assert (200, "alive\n") == get(probes, "/livez")[::2]
    assert (503, "not ready\nm/1 loading\n") == get(probes, "/readyz")[::2]

    probes.alive, probes.ready = Verdict(ok=False, text="dead\n"), Verdict(ok=True, text="ready\n")

    assert (503, "dead\n") == get(probes, "/livez")[::2]
    assert (200, "ready\n") == get(probes, "/readyz")[::2]


def test_a_query_does_not_hide_the_page(probes: Probes) -> None:
    assert 200 == get(probes, "/livez?verbose=1")[0]


def test_head_is_get_without_the_body(probes: Probes) -> None:
    status, head, body = get(probes, "/livez", method="HEAD")

    assert (200, "") == (status, body)
    assert "Content-Length: 6" in head


def test_there_is_an_index(probes: Probes) -> None:
    assert "/metrics" in get(probes, "/")[2]


def test_other_pages_do_not_exist(probes: Probes) -> None:
    assert 404 == get(probes, "/etc/passwd")[0]


def test_other_methods_are_not_allowed(probes: Probes) -> None:
    assert 405 == get(probes, "/metrics", "Content-Length: 3", method="POST")[0]


@pytest.mark.parametrize(
    "request_bytes",
    [b"hello\r\n\r\n", b"GET /livez\r\n\r\n", b"GET / SPDY/3\r\n\r\n", b"\x00\xff\r\n\r\n"],
)
def test_what_is_not_http_gets_400(probes: Probes, request_bytes: bytes) -> None:
    assert send(probes, request_bytes).startswith(b"HTTP/1.1 400 ")


def test_an_endless_head_gets_400(probes: Probes) -> None:
    assert send(probes, b"GET / HTTP/1.1\r\n" + b"a" * 20_000).startswith(b"HTTP/1.1 400 ")


def test_a_connection_serves_many_requests(probes: Probes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        answers = b""
        for _time in range(3):
            writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            answers += await reader.readuntil(b"alive\n")
        return answers

    assert 3 == converse(probes, talk).count(b"200 OK")


def test_http_1_0_closes_after_the_answer(probes: Probes) -> None:
    assert send(probes, b"GET /livez HTTP/1.0\r\n\r\n").endswith(b"alive\n")


def test_what_follows_a_body_is_not_taken_for_a_request(probes: Probes) -> None:
    answer = send(
        probes,
        b"GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 24\r\n\r\nGET /readyz HTTP/1.1\r\n\r\n",
    )

    assert 1 == answer.count(b"HTTP/1.1 ")


def test_stopping_ends_idle_connections(probes: Probes) -> None:
    async def session() -> bytes:
        monitor = probes.monitor()
        address = await monitor.start(Address("127.0.0.1", 0))
        reader, writer = await asyncio.open_connection(address.host, address.port)
        await asyncio.sleep(0)
        async with asyncio.timeout(10):
            await monitor.stop()
            left = await reader.read()
        writer.close()
        return left

    assert b"" == asyncio.run(session())


def test_a_taken_port_is_said_in_words() -> None:
    async def session() -> None:
        first, second = Probes().monitor(), Probes().monitor()
        address = await first.start(Address("127.0.0.1", 0))
        try:
            with pytest.raises(ListenError, match=f"cannot listen on {address}: .*in use"):
                await second.start(address)
        finally:
            await first.stop()
            await second.stop()

    asyncio.run(session())
