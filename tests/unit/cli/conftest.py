"""A server on models that exist only here, running beside the command under test."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.unit.rpc.fakes import FakeModels, FakeTranslator, FakeVersion, running


@dataclass
class Door:
    """Where the server listens, and what it serves."""

    address: str
    models: FakeModels

    @property
    def translator(self) -> FakeTranslator:
        """The translator of its only model: it answers in capitals."""
        return self.models.versions[0].translator


@pytest.fixture
def door() -> Iterator[Door]:
    models = FakeModels(FakeVersion())
    listening = threading.Event()
    place: dict[str, int] = {}

    async def serve() -> None:
        loop, done = asyncio.get_running_loop(), asyncio.Event()
        place["stop"] = lambda: loop.call_soon_threadsafe(done.set)
        async with running(models) as found:
            place["port"] = found.port
            listening.set()
            await done.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert listening.wait(10)
    yield Door(f"127.0.0.1:{place['port']}", models)
    place["stop"]()
    thread.join()
