"""Who joins when: limits, order, fairness, grouping. Time is what the test says it is."""

from dataclasses import dataclass

import pytest

from service.decoding.admission import Average, EngineLimits, Pace, Room, WaitingRoom, padded


@dataclass
class Guest:
    key: int
    width: int = 1
    positions: int = 8
    arrived: float = 0.0
    deadline: float | None = None


LIMITS = EngineLimits(max_rows=10, max_positions=80, max_join_positions=80, max_overtakes=2)


def queue(*guests: Guest, limits: EngineLimits = LIMITS) -> WaitingRoom[Guest]:
    waiting: WaitingRoom[Guest] = WaitingRoom(limits)
    for guest in guests:
        waiting.add(guest)
    return waiting


def keys(guests: list[Guest]) -> list[int]:
    return [guest.key for guest in guests]


def test_first_come_first_served() -> None:
    waiting = queue(Guest(0, arrived=0.0), Guest(1, arrived=0.1), Guest(2, arrived=0.2))

    assert [0, 1, 2] == keys(waiting.pick(Room(LIMITS), now=0.3))
    assert 0 == len(waiting)


def test_a_pressing_deadline_goes_first() -> None:
    waiting = queue(Guest(0), Guest(1, deadline=0.5), Guest(2, deadline=9.0))

    assert [1, 0, 2] == keys(waiting.pick(Room(LIMITS), now=0.1))


def test_nobody_is_overtaken_by_deadlines_for_ever() -> None:
    """A second after arrival, being old presses as much as a deadline does."""
    waiting = queue(Guest(0, arrived=0.0), Guest(1, arrived=0.9, deadline=1.1))

    assert [0, 1] == keys(waiting.pick(Room(LIMITS), now=1.0))


def test_rows_are_counted_not_requests() -> None:
    waiting = queue(Guest(0, width=6), Guest(1, width=4), Guest(2, width=1))

    assert [0, 1] == keys(waiting.pick(Room(LIMITS), now=0.0))


def test_positions_are_counted_as_padded_to_the_longest() -> None:
    """Two sources of 8 and 40 positions take 2 x 40; a third would make it 120."""
    waiting = queue(Guest(0, positions=8), Guest(1, positions=40), Guest(2, positions=8))

    assert [0, 1] == keys(waiting.pick(Room(LIMITS), now=0.0))


def test_one_source_longer_than_the_encoders_budget_may_still_join_alone() -> None:
    limits = EngineLimits(max_join_positions=16)
    waiting = queue(Guest(0, positions=64), Guest(1), limits=limits)

    assert [0] == keys(waiting.pick(Room(limits), now=0.0))


def test_smaller_requests_pass_one_that_does_not_fit_but_not_for_ever() -> None:
    waiting = queue(Guest(0, width=8), Guest(1), Guest(2), Guest(3))
    seated = {"sources": 1, "rows": 8}

    assert [1, 2] == keys(waiting.pick(Room(LIMITS, **seated), now=0.0))
    assert [] == keys(waiting.pick(Room(LIMITS, **seated), now=0.0))
    assert [0, 3] == keys(waiting.pick(Room(LIMITS), now=0.0))


def test_joins_wait_for_a_group_but_not_long() -> None:
    waiting = queue(Guest(0))
    busy = {"sources": 64, "rows": 64}
    limits = EngineLimits(join_patience=4.0)
    waiting = queue(Guest(0), limits=limits)

    assert [] == waiting.pick(Room(limits, **busy), now=1.000, encoding_seconds=0.002)
    assert [] == waiting.pick(Room(limits, **busy), now=1.007, encoding_seconds=0.002)
    assert [0] == keys(waiting.pick(Room(limits, **busy), now=1.009, encoding_seconds=0.002))


def test_nobody_in_a_hurry_is_made_to_wait_for_a_group() -> None:
    limits = EngineLimits(join_patience=4.0)
    hurried = queue(Guest(0, deadline=1.050), limits=limits)
    patient = queue(Guest(0, deadline=9.000), limits=limits)
    busy = {"sources": 64, "rows": 64}

    assert [0] == keys(hurried.pick(Room(limits, **busy), now=1.0, encoding_seconds=0.002))
    assert [] == patient.pick(Room(limits, **busy), now=1.0, encoding_seconds=0.002)


def test_a_group_large_enough_joins_at_once() -> None:
    """As many as are there already: half of the batch is new then."""
    room = {"sources": 8, "rows": 8}
    few = queue(*(Guest(key) for key in range(7)), limits=EngineLimits())
    enough = queue(*(Guest(key) for key in range(8)), limits=EngineLimits())

    assert [] == few.pick(Room(EngineLimits(), **room), now=0.0, encoding_seconds=1.0)
    assert 8 == len(enough.pick(Room(EngineLimits(), **room), now=0.0, encoding_seconds=1.0))


def test_an_idle_engine_waits_for_nobody() -> None:
    assert [0] == keys(queue(Guest(0)).pick(Room(LIMITS), now=0.0))


def test_the_expired_are_taken_out_and_only_they() -> None:
    waiting = queue(Guest(0), Guest(1, deadline=1.0), Guest(2, deadline=2.0))

    assert [] == waiting.expire(now=0.9)
    assert [1] == keys(waiting.expire(now=1.0))
    assert [2] == keys(waiting.expire(now=2.5))
    assert 1 == len(waiting)


def test_the_rows_waiting_are_known_whoever_leaves() -> None:
    waiting = queue(Guest(0, width=2), Guest(1, width=3), Guest(2, width=4, deadline=1.0))
    waiting.remove(lambda guest: guest.key == 1)
    waiting.expire(now=1.0)

    assert 2 == waiting.rows


def test_the_wait_is_forecast_from_the_rows_freed_so_far() -> None:
    pace = Pace()
    for _ in range(10):
        pace.observe(freed_rows=4, seconds=0.002)

    assert 0.05 == pytest.approx(pace.wait_seconds(rows_short=100))
    assert 0.0 == pace.wait_seconds(rows_short=0)


def test_an_average_begins_with_what_it_sees_and_forgets() -> None:
    average = Average(memory=4)
    assert 0.0 == average.value
    average.observe(8.0)
    assert 8.0 == average.value
    for _ in range(100):
        average.observe(2.0)

    assert 2.0 == pytest.approx(average.value)


def test_nothing_is_forecast_before_anything_is_known() -> None:
    assert 0.0 == Pace().wait_seconds(rows_short=1000)


@pytest.mark.parametrize(("positions", "expected"), [(1, 8), (8, 8), (9, 16)])
def test_padding_rounds_up(positions: int, expected: int) -> None:
    assert expected == padded(positions, 8)
