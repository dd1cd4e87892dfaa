"""One snapshot of a model's versions, one expected action."""

import pytest

from service.registry.policy import Load, Quiesce, Seen, Unload, next_action, serving
from service.registry.states import State


def on_disk(version: int, state: State, *, settled: bool = True, handles: int = 0) -> Seen:
    return Seen(version=version, state=state, settled=settled, handles=handles)


def removed(version: int, state: State, *, handles: int = 0) -> Seen:
    return Seen(version=version, state=state, on_disk=False, handles=handles)


new, loading, ready = State.NEW, State.LOADING, State.READY
quiescing, unloaded, failed = State.QUIESCING, State.UNLOADED, State.FAILED

CASES = {
    "nothing there, nothing to do": ([], None),
    "a new version is loaded": ([on_disk(1, new)], Load(1)),
    "of several new versions the newest is loaded": (
        [on_disk(1, new), on_disk(3, new), on_disk(2, new)],
        Load(3),
    ),
    "versions are numbers: ten is newer than nine": (
        [on_disk(9, ready), on_disk(10, new)],
        Load(10),
    ),
    "the newest is ready: all is well": ([on_disk(1, unloaded), on_disk(2, ready)], None),
    "older versions are not loaded beside a ready newer one": (
        [on_disk(1, new), on_disk(2, ready)],
        None,
    ),
    "a newer version is loaded while the older one serves": (
        [on_disk(1, ready), on_disk(2, new)],
        Load(2),
    ),
    "while something loads, nothing else happens": ([on_disk(1, ready), on_disk(2, loading)], None),
    "once the newer one is ready, the older one retires": (
        [on_disk(1, ready), on_disk(2, ready)],
        Quiesce(1),
    ),
    "a retired version with requests stays": (
        [on_disk(1, quiescing, handles=1), on_disk(2, ready)],
        None,
    ),
    "a retired version without requests is unloaded": (
        [on_disk(1, quiescing), on_disk(2, ready)],
        Unload(1),
    ),
    "memory is freed before more is taken": (
        [on_disk(1, quiescing), on_disk(2, ready), on_disk(3, new)],
        Unload(1),
    ),
    "a retired version is unloaded even while another loads": (
        [on_disk(1, quiescing), on_disk(2, ready), on_disk(3, loading)],
        Unload(1),
    ),
    "a failed newest version leaves the older one serving": (
        [on_disk(1, ready), on_disk(2, failed)],
        None,
    ),
    "with a failed newest version the next older one is loaded": (
        [on_disk(1, new), on_disk(2, failed)],
        Load(1),
    ),
    "all versions failed: nothing to do": ([on_disk(1, failed), on_disk(2, failed)], None),
    "a version that still changes is not loaded yet": ([on_disk(1, new, settled=False)], None),
    "a version that still changes does not hide the one before it": (
        [on_disk(1, new), on_disk(2, new, settled=False)],
        Load(1),
    ),
    "a version that still changes does not retire the one that serves": (
        [on_disk(1, ready), on_disk(2, new, settled=False)],
        None,
    ),
    "the serving version was removed: roll back to the one before": (
        [on_disk(1, unloaded), removed(2, ready)],
        Load(1),
    ),
    "a removed version serves until the roll-back is ready": (
        [on_disk(1, loading), removed(2, ready)],
        None,
    ),
    "a removed version retires when the roll-back is ready": (
        [on_disk(1, ready), removed(2, ready)],
        Quiesce(2),
    ),
    "a removed version serves on when all that is left has failed": (
        [on_disk(1, failed), removed(2, ready)],
        None,
    ),
    "every version was removed: the model retires": ([removed(2, ready)], Quiesce(2)),
    "every version was removed, requests still run": ([removed(2, quiescing, handles=3)], None),
    "every version was removed, the last request is over": ([removed(2, quiescing)], Unload(2)),
    "removed before it was loaded: nothing to do": ([removed(1, new)], None),
    "came back while it was retiring: wait for it": (
        [on_disk(2, quiescing, handles=1), removed(1, ready)],
        None,
    ),
    "came back after it was unloaded: loaded again": ([on_disk(2, unloaded)], Load(2)),
}


@pytest.mark.parametrize(("versions", "expected"), CASES.values(), ids=CASES.keys())
def test_next_action(versions, expected) -> None:
    assert expected == next_action(versions)


@pytest.mark.parametrize(("versions", "expected"), CASES.values(), ids=CASES.keys())
def test_the_order_of_the_snapshot_does_not_matter(versions, expected) -> None:
    assert expected == next_action(reversed(versions))


def test_nothing_serves_before_something_is_ready() -> None:
    assert serving([on_disk(1, loading), on_disk(2, failed)]) is None


def test_the_newest_ready_version_serves() -> None:
    assert serving([on_disk(2, ready), on_disk(10, ready), on_disk(11, loading)]) == 10


def test_a_version_on_disk_serves_before_a_removed_newer_one() -> None:
    assert serving([on_disk(1, ready), removed(2, ready)]) == 1


def test_a_retiring_version_does_not_serve() -> None:
    assert serving([on_disk(1, quiescing)]) is None


def test_from_any_snapshot_the_policy_comes_to_rest_and_never_lets_the_last_one_go() -> None:
    """Follows the policy from each case as a perfect world would, and watches what serves."""
    for name, (versions, _) in CASES.items():
        world = {each.version: each for each in versions}
        served_before = serving(world.values()) is not None
        for _turn in range(20):
            action = next_action(world.values())
            if action is None:
                break
            world[action.version] = after(world[action.version], action)
            still_wanted = any(each.on_disk for each in world.values())
            if served_before and still_wanted:
                assert serving(world.values()) is not None, name
        else:
            pytest.fail(f"{name}: never comes to rest")


def after(seen: Seen, action: Load | Quiesce | Unload) -> Seen:
    outcome = {Load: ready, Quiesce: quiescing, Unload: unloaded}[type(action)]
    return Seen(version=seen.version, state=outcome, on_disk=seen.on_disk, handles=seen.handles)
