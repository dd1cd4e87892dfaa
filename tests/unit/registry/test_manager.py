"""Versions come and go under requests, and no request is ever without its model."""

import logging
import threading
from pathlib import Path

import pytest

from service.errors import InvalidArgument, NotFound, Unavailable
from service.registry import Manager, State, Watcher
from tests.unit.registry.fakes import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


# -- loading and replacing ------------------------------------------------------------------------


def test_the_newest_version_is_loaded_and_serves(world: World) -> None:
    world.publish("m/1")
    world.publish("m/2")
    world.look()

    assert {"m/1": "new", "m/2": "ready"} == world.states
    assert 2 == world.serving("m")


def test_a_newer_version_takes_over_and_the_older_is_unloaded(world: World) -> None:
    world.publish("m/1")
    world.look()
    world.publish("m/2")
    world.look()

    assert {"m/1": "unloaded", "m/2": "ready"} == world.states
    assert 2 == world.serving("m")
    assert world.loader.loaded["m/1"].closed


def test_a_request_keeps_its_version_until_it_is_done(world: World) -> None:
    world.publish("m/1")
    world.look()
    with world.manager.acquire("m") as held:
        world.publish("m/2")
        world.look()

        assert 1 == held.version
        assert {"m/1": "quiescing", "m/2": "ready"} == world.states
        assert not world.loader.loaded["m/1"].closed
        assert 2 == world.serving("m")

    world.look(1)

    assert world.loader.loaded["m/1"].closed
    assert "unloaded" == world.states["m/1"]


def test_a_request_that_fails_lets_its_version_go(world: World) -> None:
    world.publish("m/1")
    world.look()
    with pytest.raises(ZeroDivisionError), world.manager.acquire("m"):
        raise ZeroDivisionError
    world.publish("m/2")
    world.look()

    assert "unloaded" == world.states["m/1"]


def test_the_older_version_serves_while_the_newer_one_loads(world: World) -> None:
    world.publish("m/1")
    world.look()
    world.publish("m/2")
    world.loader.gate = threading.Event()
    loading = threading.Thread(target=world.look)
    loading.start()
    try:
        while world.states.get("m/2") != "loading":
            assert loading.is_alive()
        assert 1 == world.serving("m")
    finally:
        world.loader.gate.set()
        loading.join(10)

    assert 2 == world.serving("m")


def test_models_do_not_mind_each_other(world: World) -> None:
    world.publish("a/1")
    world.publish("b/7", "broken")
    world.publish("c/3")
    world.look()

    assert {"a/1": "ready", "b/7": "failed", "c/3": "ready"} == world.states


# -- bad versions ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "label", "reason"),
    [
        ("broken", "bundle", "twice"),
        ("wrong", "goldens", "1 of 5 goldens are not reproduced: golden 'a': is 'b'"),
        ("bug", "internal", "ZeroDivisionError: division by zero"),
    ],
)
def test_a_bad_version_leaves_the_older_one_serving_and_says_why(
    world: World, caplog, word: str, label: str, reason: str
) -> None:
    world.publish("m/1")
    world.look()
    world.publish("m/2", word)
    world.look()

    assert 1 == world.serving("m")
    (failed,) = [each for each in world.manager.list() if each.state is State.FAILED]
    assert 2 == failed.version
    assert reason in failed.reason
    assert world.value("parley_model_load_failures_total", model="m", reason=label) == 1
    (record,) = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert reason in record.facts["reason"]


def test_failed_goldens_are_counted(world: World) -> None:
    world.publish("m/1", "wrong")
    world.look()

    assert world.value("parley_golden_failures_total", model="m") == 1


def test_a_bad_version_is_not_tried_again_as_it_stands(world: World) -> None:
    world.publish("m/1", "broken")
    world.look(5)

    assert ["m/1"] == world.loader.loads


def test_a_bad_version_is_tried_again_when_its_directory_has_changed_and_settled(
    world: World,
) -> None:
    """So a bundle that is copied in slowly is not condemned for ever."""
    world.publish("m/1", "broken")
    world.look()
    world.publish("m/1", "good")
    world.look()

    assert {"m/1": "ready"} == world.states
    assert ["m/1", "m/1"] == world.loader.loads


def test_a_version_that_is_being_copied_is_left_alone_until_it_rests(world: World) -> None:
    world.look(1)
    for size in range(1, 5):
        world.publish("m/1", "x" * size)
        world.look(1)
    assert [] == world.loader.loads
    world.publish("m/1", "good")
    world.look()

    assert {"m/1": "ready"} == world.states


def test_with_a_bad_newest_version_an_older_one_is_loaded_at_start(world: World) -> None:
    world.publish("m/1")
    world.publish("m/2", "broken")
    world.look(1)

    assert {"m/1": "ready", "m/2": "failed"} == world.states


def test_a_loaded_version_that_changes_on_disk_is_reported_not_reloaded(
    world: World, caplog
) -> None:
    world.publish("m/1")
    world.look()
    world.publish("m/1", "good too")
    world.look()

    assert ["m/1"] == world.loader.loads
    assert "changed on disk" in caplog.text


# -- removing -------------------------------------------------------------------------------------


def test_removing_the_newest_version_rolls_back(world: World) -> None:
    world.publish("m/1")
    world.publish("m/2")
    world.look()
    world.remove("m/2")
    world.look()

    assert {"m/1": "ready"} == world.states
    assert 1 == world.serving("m")
    assert world.loader.loaded["m/2"].closed


def test_a_removed_version_serves_on_when_there_is_nothing_good_to_replace_it(
    world: World,
) -> None:
    world.publish("m/1", "broken")
    world.publish("m/2")
    world.look()
    world.remove("m/2")
    world.look()

    assert 2 == world.serving("m")


def test_removing_a_model_unloads_it(world: World) -> None:
    world.publish("m/1")
    world.look()
    world.remove("m")
    world.look()

    assert {} == world.states
    assert world.loader.loaded["m/1"].closed
    with pytest.raises(NotFound):
        world.serving("m")


def test_a_model_removed_under_a_request_waits_for_it(world: World) -> None:
    world.publish("m/1")
    world.look()
    with world.manager.acquire("m"):
        world.remove("m")
        world.look()
        assert not world.loader.loaded["m/1"].closed
    world.look(1)

    assert world.loader.loaded["m/1"].closed


def test_a_volume_that_is_away_unloads_nothing(world: World, tmp_path: Path) -> None:
    world.root = tmp_path / "models"
    world.publish("m/1")
    manager = Manager(Watcher(world.root), world.loader, world.metrics.models, poll_seconds=0)
    manager.tick()
    world.root.rename(tmp_path / "elsewhere")
    manager.tick()

    with manager.acquire("m") as held:
        assert 1 == held.version


# -- asking ---------------------------------------------------------------------------------------


def test_a_version_can_be_asked_for_by_number(world: World) -> None:
    world.publish("m/1")
    world.look()
    with world.manager.acquire("m", 1) as held:
        assert ("m", 1) == (held.name, held.version)
        assert "translator of m/1" == held.translator
        assert "manifest of m/1" == held.manifest


def test_an_unknown_model_is_not_found_and_the_known_are_listed(world: World) -> None:
    world.publish("a/1")
    world.publish("b/1")
    world.look()
    with pytest.raises(NotFound, match="no model 'x'; available: a, b"):
        world.serving("x")


def test_an_unknown_version_is_not_found_and_the_known_are_listed(world: World) -> None:
    world.publish("m/1")
    world.look()
    with (
        pytest.raises(NotFound, match="no model version 'm/9'; available: m/1"),
        world.manager.acquire("m", 9),
    ):
        pass


def test_a_version_that_is_not_loaded_is_unavailable(world: World) -> None:
    world.publish("m/1")
    world.publish("m/2")
    world.look()
    with (
        pytest.raises(
            Unavailable, match="'m/1' is not ready: version 2 is ready, version 1 is new"
        ),
        world.manager.acquire("m", 1),
    ):
        pass


def test_a_model_without_a_ready_version_is_unavailable(world: World) -> None:
    world.publish("m/1", "broken")
    world.look()
    with pytest.raises(Unavailable, match="'m' has no ready version: version 1 is failed"):
        world.serving("m")


def test_the_only_model_need_not_be_named(world: World) -> None:
    world.publish("m/1")
    world.look()
    with world.manager.acquire() as held:
        assert "m" == held.name


def test_of_several_models_one_must_be_named(world: World) -> None:
    world.publish("a/1")
    world.publish("b/1")
    world.look()
    with pytest.raises(InvalidArgument, match="one of: a, b"), world.manager.acquire():
        pass


def test_listing_names_the_serving_version(world: World) -> None:
    world.publish("a/1")
    world.publish("a/2", "broken")
    world.publish("b/1")
    world.look()

    assert [("a", 2, False), ("a", 1, True), ("b", 1, True)] == [
        (each.name, each.version, each.serving) for each in world.manager.list()
    ]


# -- readiness, liveness, metrics -----------------------------------------------------------------


def test_before_the_first_look_nothing_is_ready(world: World) -> None:
    assert not world.manager.is_ready()


def test_without_models_the_server_is_alive_and_not_ready(world: World) -> None:
    world.look()

    assert not world.manager.is_ready()
    assert [] == world.manager.ailments()


def test_the_first_model_that_arrives_makes_an_empty_server_ready(world: World) -> None:
    world.look()
    world.publish("m/1")
    world.look()

    assert world.manager.is_ready()


def test_at_start_readiness_waits_for_every_model(world: World) -> None:
    world.publish("a/1")
    world.publish("b/1")
    seen: list[bool] = []
    world.manager._on_change = lambda: seen.append(world.manager.is_ready())
    world.look()

    assert seen == sorted(seen), "ready and then not ready again"
    assert not seen[2], "ready while b had not been looked at"
    assert world.manager.is_ready()


def test_one_bad_model_does_not_keep_the_others_from_traffic(world: World) -> None:
    world.publish("a/1")
    world.publish("b/1", "broken")
    world.look()

    assert world.manager.is_ready()
    assert {"a": True, "b": False} == world.manager.ready_models()


def test_with_nothing_but_bad_models_the_server_is_not_ready(world: World) -> None:
    world.publish("a/1", "broken")
    world.look()

    assert not world.manager.is_ready()


def test_a_ready_server_stays_ready_while_a_further_model_loads(world: World) -> None:
    world.publish("a/1")
    world.look()
    seen: list[bool] = []
    world.manager._on_change = lambda: seen.append(world.manager.is_ready())
    world.publish("b/1")
    world.look()

    assert all(seen)


def test_a_sick_engine_is_an_ailment(world: World) -> None:
    world.publish("m/1")
    world.look()
    world.loader.loaded["m/1"].healthy = False

    assert ["the decoding thread of m/1 is stuck or dead"] == world.manager.ailments()


def test_state_and_serving_version_are_metrics(world: World) -> None:
    world.publish("m/1")
    world.look()
    world.publish("m/2")
    world.look()

    assert world.value("parley_model_state", model="m", version="2", state="ready") == 1
    assert world.value("parley_model_state", model="m", version="1", state="unloaded") == 1
    assert world.value("parley_model_serving_version", model="m") == 2
    assert world.value("parley_model_load_seconds_count", model="m") == 2


def test_a_removed_model_serves_version_zero_and_has_no_states(world: World) -> None:
    world.publish("m/1")
    world.look()
    world.remove("m")
    world.look()

    assert world.value("parley_model_serving_version", model="m") == 0
    assert world.value("parley_model_state", model="m", version="1", state="ready") is None


def test_whoever_listens_is_told_of_changes(world: World) -> None:
    world.publish("m/1")
    before = world.changes
    world.look(1)

    assert world.changes >= before + 2  # loading, ready


# -- the thread -----------------------------------------------------------------------------------


def test_the_thread_looks_by_itself(world: World) -> None:
    ready = threading.Event()
    manager = Manager(
        Watcher(world.root),
        world.loader,
        world.metrics.models,
        poll_seconds=0.01,
        on_change=lambda: ready.set() if manager.is_ready() else None,
    )
    world.publish("m/1")
    manager.start()
    try:
        assert ready.wait(10)
    finally:
        manager.stop()

    assert world.loader.loaded["m/1"].closed


def test_the_thread_survives_a_look_that_fails(world: World, caplog) -> None:
    class Moody(Watcher):
        looks = 0

        def scan(self):
            self.looks += 1
            if self.looks == 1:
                raise RuntimeError("not now")
            return super().scan()

    ready = threading.Event()
    manager = Manager(
        Moody(world.root),
        world.loader,
        world.metrics.models,
        poll_seconds=0.01,
        on_change=lambda: ready.set() if manager.is_ready() else None,
    )
    world.publish("m/1")
    manager.start()
    try:
        assert ready.wait(10)
        assert [] == manager.ailments()
    finally:
        manager.stop()
    assert "looking for models failed" in caplog.text


def test_stopping_closes_what_is_loaded(world: World) -> None:
    world.publish("a/1")
    world.publish("b/1")
    world.look()
    world.manager.stop()

    assert all(each.closed for each in world.loader.loaded.values())


def test_stopping_does_not_wait_for_ever_for_a_load(world: World) -> None:
    world.loader.gate = threading.Event()
    manager = Manager(Watcher(world.root), world.loader, world.metrics.models, poll_seconds=0.01)
    world.publish("m/1")
    manager.start()
    while not world.loader.loads:
        pass

    assert not manager.stop(patience_seconds=0.01)

    world.loader.gate.set()
    assert manager.stop(patience_seconds=10)
    assert world.loader.loaded["m/1"].closed
