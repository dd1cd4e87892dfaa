"""A few of the visitors of `make soak`, on the shipped model; and that it would notice."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from service.cli.sentences import SENTENCES
from service.decoding import EngineLimits
from service.rpc.pb.parley.v1 import translation_pb2 as pb
from tests.soak.__main__ import SHIPPED, emptied
from tests.soak.doors import Answer, InProcess, OverGrpc
from tests.soak.soak import all_at_once, differences, one_by_one
from tests.soak.visitors import Visitor, visitors
from tests.system.server import running

pytestmark = pytest.mark.skipif(not SHIPPED.exists(), reason="the shipped model is not here")


@pytest.fixture
def everybody() -> list[Visitor]:
    return visitors(SENTENCES, 60, seed=1)


@pytest.fixture
async def door() -> AsyncIterator[InProcess]:
    door = InProcess(SHIPPED, EngineLimits(max_rows=96))
    yield door
    door.engine.stop()


async def test_a_crowd_gets_what_each_gets_alone(
    door: InProcess, everybody: list[Visitor], tmp_path: Path
) -> None:
    """Through the engine's thread, then through a server process and gRPC."""
    alone = await one_by_one(door, everybody)
    assert "OK" in {each.code for each in alone}
    together = await all_at_once(door, everybody, crowd=20)
    left = await emptied(door.left_behind)

    assert ([], {}) == (differences(everybody, alone, together), left)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / SHIPPED.parent.name).symlink_to(SHIPPED.parent)
    with running(tmp_path, tmp_path / "models", threads=1) as server:
        remote = OverGrpc(server.wait_until_ready(), f"{SHIPPED.parent.name}/{SHIPPED.name}")
        served = await all_at_once(remote, everybody, crowd=20)
        left = await emptied(remote.left_behind)
        await remote.close()

    assert ([], {}) == (differences(everybody, alone, served), left)


def test_a_changed_answer_is_noticed_and_a_missing_one_only_excused_in_a_hurry() -> None:
    request = pb.TranslateRequest(contents=["a"])
    patient, hurried = Visitor(request=request), Visitor(request=request, deadline=0.1)
    right, wrong, late = Answer("OK", "", b""), Answer("OK", "", b"\n\0"), Answer("CANCELLED")
    everybody = [patient, patient, patient, hurried, hurried]
    crowd = [right, wrong, late, wrong, Answer("DEADLINE_EXCEEDED")]

    assert [1, 2, 3] == [each.number for each in differences(everybody, [right] * 5, crowd)]


def test_visitors_are_the_same_for_the_same_seed() -> None:
    assert visitors(SENTENCES, 20, seed=3) == visitors(SENTENCES, 20, seed=3)
    assert visitors(SENTENCES, 20, seed=3) != visitors(SENTENCES, 20, seed=4)
