"""Where memories lie while sources come and go: values are found, copies are rare."""

import random

import numpy as np
import pytest

from service.decoding.memories import Memories


def source(mark: int, length: int) -> np.ndarray:
    """A memory [length, 2] that can be told from others at every position."""
    return np.array([[mark, position] for position in range(length)], np.float32)


def add(memories: Memories, *sources: np.ndarray) -> None:
    memories.add([len(each) for each in sources], {"memory": list(sources)})


def held(memories: Memories) -> list[list[list[float]]]:
    """Each source's memory, without padding."""
    lengths = memories.lengths_M[memories.places_B].tolist()
    tensor = memories.tensors["memory"]
    return [tensor[p, :n].tolist() for p, n in zip(memories.places_B, lengths, strict=True)]


@pytest.fixture
def memories() -> Memories:
    return Memories(["memory"], position_multiple=8)


def test_sources_are_padded_with_zeros_to_a_whole_number_of_positions(memories: Memories) -> None:
    add(memories, source(1, 3), source(2, 9))

    assert (2, 16, 2) == memories.tensors["memory"].shape
    assert not memories.tensors["memory"][0, 3:].any()
    assert [3, 9] == memories.lengths_M.tolist()


def test_the_first_sources_are_kept_in_the_tensor_in_which_they_come(memories: Memories) -> None:
    together = np.ones((3, 16, 2), np.float32)
    memories.add([3, 16, 9], {"memory": together})

    assert memories.tensors["memory"] is together
    assert [3, 16, 9] == together[:, :, 0].sum(axis=1).tolist()
    add(memories, source(7, 4))
    assert [3, 16, 9, 4] == [len(each) for each in held(memories)]
    assert source(7, 4).tolist() == held(memories)[-1]


def test_later_ones_are_put_beside_those_held(memories: Memories) -> None:
    add(memories, source(1, 3))
    memories.add([2, 8], {"memory": np.array([source(2, 8), source(3, 8)])})

    assert [source(1, 3).tolist(), source(2, 2).tolist(), source(3, 8).tolist()] == held(memories)


def test_who_comes_takes_the_place_of_who_went_without_a_copy(memories: Memories) -> None:
    add(memories, *(source(mark, 8) for mark in range(5)))
    before = memories.tensors["memory"]
    memories.keep(np.array([0, 2, 3, 4]))
    add(memories, source(9, 2))

    assert memories.tensors["memory"] is before
    assert [source(m, n).tolist() for m, n in [(0, 8), (2, 8), (3, 8), (4, 8), (9, 2)]] == held(
        memories
    )
    assert not before[1, 2:].any()


def test_what_is_mostly_empty_is_made_smaller(memories: Memories) -> None:
    add(memories, *(source(mark, 8) for mark in range(8)), source(99, 64))
    memories.keep(np.array([0, 3]))

    assert (2, 8, 2) == memories.tensors["memory"].shape
    assert [source(0, 8).tolist(), source(3, 8).tolist()] == held(memories)


def test_a_longer_source_makes_room_for_itself(memories: Memories) -> None:
    add(memories, source(1, 8))
    add(memories, source(2, 20))

    assert (2, 24, 2) == memories.tensors["memory"].shape
    assert [source(1, 8).tolist(), source(2, 20).tolist()] == held(memories)


def test_empty_places_are_sources_of_one_position(memories: Memories) -> None:
    """Attention over no position at all would be no number."""
    add(memories, *(source(mark, 8) for mark in range(5)))
    memories.keep(np.array([0, 1, 2, 3]))
    add(memories, source(6, 8), source(7, 8))

    assert (memories.lengths_M >= 1).all()


def test_slots_give_every_row_a_place_with_its_source(memories: Memories) -> None:
    add(memories, source(0, 4), source(1, 4), source(2, 4))

    slots, slot_of = memories.slots(np.array([1, 1, 0, 2, 2, 2]))

    assert (3, 3) == slots.shape
    assert [3, 4, 0, 6, 7, 8] == slot_of.tolist()
    assert [0, 1, 2, 3, 4, 5] == slots.reshape(-1)[slot_of].tolist()
    assert 0 == slots[0, 1] == slots[0, 2] == slots[1, 2]


def test_any_coming_and_going_keeps_everybody_whole(memories: Memories) -> None:
    chance = random.Random(0)
    expected: list[np.ndarray] = []
    for mark in range(300):
        if expected and chance.random() < 0.5:
            kept = [i for i in range(len(expected)) if chance.random() < 0.7] or [0]
            memories.keep(np.array(kept))
            expected = [expected[i] for i in kept]
        new = [
            source(1000 * mark + i, chance.randrange(1, 40)) for i in range(chance.randrange(1, 4))
        ]
        add(memories, *new)
        expected += new

        assert [each.tolist() for each in expected] == held(memories)
        waste = memories.tensors["memory"].shape[0] * memories.tensors["memory"].shape[1]
        assert waste <= 2 * len(expected) * 40


def test_a_model_without_memories_needs_none() -> None:
    memories = Memories([])
    memories.add([3, 4], {})
    memories.keep(np.array([1]))

    assert [4] == memories.lengths_M[memories.places_B].tolist()
