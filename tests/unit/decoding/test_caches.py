"""Where caches lie while rows come, go and branch: every row keeps its own entries."""

import random

import numpy as np
import pytest

from service.decoding.caches import Caches, CacheShape

Past = list[int]


@pytest.fixture
def caches() -> Caches:
    """Two of them, which grow along different axes."""
    return Caches(
        {
            "keys": CacheShape(dtype="float32", shape=(2, 0, 3), axis=2),
            "marks": CacheShape(dtype="int64", shape=(0,), axis=1),
        }
    )


def write(caches: Caches, entries: list[int]) -> None:
    """What a model does in a step: put each row's entry at its age."""
    tensors = caches.tensors()
    for entry, place in zip(entries, caches.places_R.tolist(), strict=True):
        age = caches.ages_P[place]
        tensors["keys"][place, :, age] = entry
        tensors["marks"][place, age] = entry
    caches.grow()


def held(caches: Caches) -> list[Past]:
    """Each row's entries; both caches must agree about them."""
    pasts = []
    for place in caches.places_R.tolist():
        marks = caches.tensors()["marks"][place, : caches.ages_P[place]]
        keys = caches.tensors()["keys"][place, :, : len(marks)]
        assert (keys == marks[:, None]).all()
        pasts.append(marks.tolist())
    return pasts


def test_a_fresh_row_has_nothing_and_gains_an_entry_a_step(caches: Caches) -> None:
    caches.seat(np.array([0, 1]))
    write(caches, [10, 20])
    caches.seat(None)
    write(caches, [11, 21])

    assert [[10, 11], [20, 21]] == held(caches)


def test_rows_of_different_ages_lie_side_by_side(caches: Caches) -> None:
    caches.seat(np.array([0]))
    write(caches, [10])
    caches.seat(np.array([0, 1, 2]))
    write(caches, [11, 20, 30])

    assert [[10, 11], [20], [30]] == held(caches)


def test_rows_that_leave_or_change_their_order_move_nobody_else(caches: Caches) -> None:
    caches.seat(np.arange(4))
    write(caches, [10, 20, 30, 40])
    before = caches.places_R.tolist()
    caches.seat(np.array([3, 0, 1]))  # the third has left

    assert [before[0], before[1]] == caches.places_R[1:].tolist()
    assert [[40], [10], [20]] == held(caches)
    assert [0, 1, 2] == sorted(caches.places_R.tolist())


def test_a_row_that_branches_is_copied_once_for_each_further_branch(caches: Caches) -> None:
    caches.seat(np.arange(3))
    write(caches, [10, 20, 30])
    place = caches.places_R[1]
    caches.seat(np.array([1, 1, 1]))

    assert place == caches.places_R[0]
    assert [[20], [20], [20]] == held(caches)

    write(caches, [21, 22, 23])

    assert [[20, 21], [20, 22], [20, 23]] == held(caches)


def test_nothing_is_made_anew_while_there_is_room(caches: Caches) -> None:
    caches.seat(np.arange(5))
    write(caches, [1, 2, 3, 4, 5])
    memory = caches.tensors()["keys"].ctypes.data
    for parents in (np.array([0, 1, 2, 3]), np.array([0, 1, 2, 3, 4, 5, 6]), np.arange(8)):
        caches.seat(parents)
        write(caches, [0] * len(parents))

    assert memory == caches.tensors()["keys"].ctypes.data


def test_room_for_entries_grows_by_sixteen_and_falls_when_the_old_have_left(
    caches: Caches,
) -> None:
    caches.seat(np.arange(2))
    seen = set()
    for step in range(40):
        write(caches, [step, step])
        caches.seat(None)
        seen.add(caches.tensors()["keys"].shape[2])
    assert {16, 32, 48} == seen

    caches.seat(np.array([5, 6, 7]))  # fresh ones, whom nobody old accompanies

    assert 16 == caches.tensors()["keys"].shape[2]
    assert [[], [], []] == held(caches)


def test_what_the_model_is_given_is_whole_memory(caches: Caches) -> None:
    """Its address and shape are all that onnxruntime gets."""
    caches.seat(np.arange(11))

    assert all(tensor.flags.c_contiguous for tensor in caches.tensors().values())
    assert (11, 2, 16, 3) == caches.tensors()["keys"].shape


def test_any_coming_going_and_branching_keeps_everybody_whole(caches: Caches) -> None:
    chance = random.Random(0)
    expected: list[Past] = []
    for step in range(400):
        fresh = chance.choice([0, 0, 0, 1, 3, 9])
        if chance.random() < 0.3:
            order = list(range(len(expected) + fresh))
        else:
            wanted = chance.randrange(1, 12)
            alive = [r for r in range(len(expected)) if chance.random() < 0.8]
            order = [chance.choice(alive) for _ in range(wanted)] if alive else []
            order += range(len(expected), len(expected) + fresh)
        if not order:
            continue
        untouched = order == list(range(len(expected))) and not fresh
        caches.seat(None if untouched else np.array(order))
        pasts = [*expected, *([] for _ in range(fresh))]
        expected = [list(pasts[parent]) for parent in order]

        assert expected == held(caches)

        entries = [1000 * step + row for row in range(len(order))]
        write(caches, entries)
        for past, entry in zip(expected, entries, strict=True):
            past.append(entry)


def test_cleared_caches_hold_nothing(caches: Caches) -> None:
    caches.seat(np.arange(3))
    caches.clear()

    assert {} == caches.tensors()
    assert 0 == len(caches.places_R)
