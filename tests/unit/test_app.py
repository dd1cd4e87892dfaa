"""What the probes are told, by a manager and to a gRPC door that are made up."""

from dataclasses import dataclass, field
from typing import cast

import pytest

from service.app import Health
from service.registry import Manager, State, VersionStatus
from service.rpc.server import RpcServer


@dataclass
class FakeManager:
    ready: bool = True
    models: dict[str, bool] = field(default_factory=lambda: {"m": True})
    ills: list[str] = field(default_factory=list)

    def is_ready(self) -> bool:
        return self.ready

    def ready_models(self) -> dict[str, bool]:
        return self.models

    def ailments(self) -> list[str]:
        return self.ills

    def list(self) -> list[VersionStatus]:
        return [
            VersionStatus(name="m", version=3, state=State.FAILED, reason="tampered"),
            VersionStatus(name="m", version=2, state=State.READY, serving=True),
            VersionStatus(name="m", version=1, state=State.UNLOADED),
        ]


class FakeRpc:
    def __init__(self) -> None:
        self.told: dict[str, bool] = {}

    def set_serving(self, service: str, serving: bool) -> None:
        self.told[service] = serving


@dataclass
class Scene:
    manager: FakeManager
    rpc: FakeRpc
    health: Health


@pytest.fixture
def scene() -> Scene:
    manager, rpc = FakeManager(), FakeRpc()
    return Scene(manager, rpc, Health(cast("Manager", manager), cast("RpcServer", rpc)))


def test_a_ready_server_is_serving_under_every_name(scene: Scene) -> None:
    scene.health.refresh()

    assert {"": True, "liveness": True, "m": True} == scene.rpc.told


def test_a_model_that_went_away_stops_serving_under_its_name(scene: Scene) -> None:
    scene.health.refresh()
    scene.manager.models = {}
    scene.health.refresh()

    assert not scene.rpc.told["m"]


def test_a_sick_server_is_neither_alive_nor_ready(scene: Scene) -> None:
    scene.manager.ills = ["the decoding thread of m/2 is stuck or dead"]
    scene.health.refresh()

    assert not scene.rpc.told["liveness"]
    assert not scene.rpc.told[""]
    assert not scene.health.ready().ok
    assert not scene.health.alive().ok
    assert "the decoding thread of m/2 is stuck or dead\n" == scene.health.alive().text


def test_a_draining_server_is_alive_and_not_ready_and_its_names_are_left_alone(
    scene: Scene,
) -> None:
    scene.health.draining = True
    scene.health.refresh()

    assert {"liveness": True} == scene.rpc.told
    assert scene.health.alive().ok
    assert not scene.health.ready().ok
    assert "draining\n" == scene.health.ready().text


def test_readyz_shows_the_versions_that_matter(scene: Scene) -> None:
    assert "ready\nm/3 failed\nm/2 ready (serving)\n" == scene.health.ready().text
