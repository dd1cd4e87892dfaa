"""What fits into the running batch: seats, rows, positions."""

import pytest

from service.decoding.admission import EngineLimits, Room, padded

LIMITS = EngineLimits(max_rows=10, max_sources=4, max_positions=80, max_join_positions=80)


def taken(room: Room, *wishes: tuple[int, int]) -> list[bool]:
    """Who gets a seat, asking one after the other for (rows, positions)."""
    return [room.take(width, positions) for width, positions in wishes]


def test_rows_are_counted_not_requests() -> None:
    assert [True, True, False] == taken(Room(LIMITS), (6, 8), (4, 8), (1, 8))


def test_there_are_only_so_many_seats_however_few_rows_they_take() -> None:
    assert [True] * 4 + [False] == taken(Room(LIMITS), *[(1, 8)] * 5)


def test_positions_are_counted_as_padded_to_the_longest() -> None:
    """Two sources of 8 and 40 positions take 2 x 40; a third would make it 120."""
    assert [True, True, False] == taken(Room(LIMITS), (1, 8), (1, 40), (1, 8))


def test_no_more_positions_than_caches_hold_but_for_a_few_sources() -> None:
    limits = EngineLimits(near_positions=20 * 8)

    assert [True] * 20 + [False] == taken(Room(limits), *[(1, 8)] * 21)
    assert [True] * 16 + [False] == taken(Room(limits), *[(1, 64)] * 17)


def test_one_source_longer_than_the_encoders_budget_may_still_join_alone() -> None:
    limits = EngineLimits(max_join_positions=16)

    assert [True, False] == taken(Room(limits), (1, 64), (1, 8))


@pytest.mark.parametrize(
    ("sources", "rows", "longest", "wish", "expected"),
    [
        (1, 1, 8, (1, 8), 3),
        (1, 1, 8, (5, 8), 1),
        (1, 8, 8, (1, 8), 2),
        (1, 1, 8, (1, 40), 1),
        (1, 1, 40, (1, 8), 1),
        (4, 4, 8, (1, 8), 0),
    ],
)
def test_seats_are_what_is_left_of_all_budgets(
    sources: int, rows: int, longest: int, wish: tuple[int, int], expected: int
) -> None:
    assert expected == Room(LIMITS, sources, rows, longest).seats(*wish)


@pytest.mark.parametrize(("positions", "expected"), [(1, 8), (8, 8), (9, 16)])
def test_padding_rounds_up(positions: int, expected: int) -> None:
    assert expected == padded(positions, 8)
