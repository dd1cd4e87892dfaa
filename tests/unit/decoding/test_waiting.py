"""Who joins when: order, fairness, company. Time is what the test says it is."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from service.decoding.admission import EngineLimits, Room
from service.decoding.waiting import WaitingRoom


@dataclass
class Guest:
    key: int
    width: int = 1
    positions: int = 8
    arrived: float = 0.0
    deadline: float | None = None


LIMITS = EngineLimits(max_rows=10, max_positions=80, max_join_positions=80, max_overtakes=16)


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


def test_smaller_requests_pass_one_that_does_not_fit_but_not_for_ever() -> None:
    waiting = queue(Guest(0, width=8), Guest(1), Guest(2), Guest(3))
    seated = {"sources": 1, "rows": 8}

    assert [1, 2] == keys(waiting.pick(Room(LIMITS, **seated), now=0.0))
    assert [] == keys(waiting.pick(Room(LIMITS, **seated), now=0.0))
    assert [0, 3] == keys(waiting.pick(Room(LIMITS), now=0.0))


def test_joins_wait_for_company_until_they_have_waited_as_long_as_the_seated_would() -> None:
    """Ten are seated, and stand still for 1 ms however few join: 10 ms, in all."""
    limits = EngineLimits(join_patience=1.0)
    waiting = queue(Guest(0), Guest(1), limits=limits)
    busy = {"sources": 10, "rows": 10}

    assert [] == waiting.pick(Room(limits, **busy), now=1.000, standstill=0.001)
    assert [] == waiting.pick(Room(limits, **busy), now=1.004, standstill=0.001)
    assert [0, 1] == keys(waiting.pick(Room(limits, **busy), now=1.006, standstill=0.001))


def test_nobody_waits_for_company_that_does_not_come() -> None:
    limits = EngineLimits(join_patience=8.0, join_stills=32.0)
    waiting = queue(Guest(0), limits=limits)
    busy = {"sources": 60, "rows": 60}

    assert [] == waiting.pick(Room(limits, **busy), now=1.000, standstill=0.001)
    assert [] == waiting.pick(Room(limits, **busy), now=1.031, standstill=0.001)
    assert [0] == keys(waiting.pick(Room(limits, **busy), now=1.033, standstill=0.001))


def test_who_cannot_join_yet_does_not_count_as_waiting_for_company() -> None:
    limits = EngineLimits(max_sources=10, join_patience=1.0)
    waiting = queue(*(Guest(key) for key in range(9)), limits=limits)

    assert [] == waiting.pick(Room(limits, sources=10, rows=10), now=1.0, standstill=0.001)
    assert [] == waiting.pick(Room(limits, sources=9, rows=9), now=2.0, standstill=0.001)
    assert [] == waiting.pick(Room(limits, sources=9, rows=9), now=2.008, standstill=0.001)
    assert [0] == keys(waiting.pick(Room(limits, sources=9, rows=9), now=2.010, standstill=0.001))


def test_nobody_in_a_hurry_is_made_to_wait_for_company() -> None:
    limits = EngineLimits(join_patience=1.0)
    hurried = queue(Guest(0, deadline=1.300), limits=limits)
    patient = queue(Guest(0, deadline=9.000), limits=limits)
    busy = {"sources": 10, "rows": 10}

    assert [0] == keys(hurried.pick(Room(limits, **busy), now=1.0, standstill=0.001))
    assert [] == patient.pick(Room(limits, **busy), now=1.0, standstill=0.001)


def test_a_group_large_enough_joins_at_once() -> None:
    """As many as are there already: half of the batch is new then."""
    room = {"sources": 8, "rows": 8}
    few = queue(*(Guest(key) for key in range(7)), limits=EngineLimits())
    enough = queue(*(Guest(key) for key in range(8)), limits=EngineLimits())

    assert [] == few.pick(Room(EngineLimits(), **room), now=0.0, standstill=1.0)
    assert 8 == len(enough.pick(Room(EngineLimits(), **room), now=0.0, standstill=1.0))


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


FEW = EngineLimits(max_sources=2, max_overtakes=4)
LONG, SHORT = 32, 8


def test_where_more_wait_than_fit_sources_of_like_length_join_together() -> None:
    """Longest first, then the next shorter ones, until all have had their turn."""
    lengths = [8, 32, 16, 8, 32, 16]
    waiting = queue(*(Guest(k, positions=n) for k, n in enumerate(lengths)), limits=FEW)

    groups = [keys(waiting.pick(Room(FEW), now=0.0)) for _ in range(3)]

    assert [[1, 4], [2, 5], [0, 3]] == groups


def test_a_sweep_does_not_turn_back_for_those_who_have_come_since() -> None:
    """Else a stream of long sources would keep short ones waiting."""
    waiting = queue(*(Guest(k, positions=16) for k in range(3)), Guest(3), Guest(4), limits=FEW)
    assert [0, 1] == keys(waiting.pick(Room(FEW), now=0.0))
    waiting.add(Guest(5, positions=LONG))
    waiting.add(Guest(6, positions=LONG))

    groups = [keys(waiting.pick(Room(FEW), now=0.0)) for _ in range(2)]

    assert [[2, 3], [4, 5]] == groups


def test_all_who_fit_join_in_order_of_urgency_whatever_their_lengths() -> None:
    waiting = queue(Guest(0), Guest(1, positions=16), Guest(2, deadline=0.1))

    assert [2, 0, 1] == keys(waiting.pick(Room(LIMITS), now=0.0))


def test_pressing_deadlines_go_before_company_of_like_length() -> None:
    """Those less than `horizon_seconds` away; a distant deadline presses nobody."""
    waiting = queue(
        Guest(0, positions=LONG),
        Guest(1, positions=LONG),
        Guest(2, deadline=0.9),
        Guest(3, positions=LONG, deadline=30.0),
        Guest(4, deadline=0.5),
        limits=FEW,
    )

    assert [4, 2] == keys(waiting.pick(Room(FEW), now=0.0))
    assert [0, 1] == keys(waiting.pick(Room(FEW), now=0.0))


def test_who_was_passed_too_often_is_next_whatever_the_sweep_is_at() -> None:
    waiting = queue(Guest(0, positions=SHORT), limits=FEW)
    joined: list[int] = []
    for key in range(1, 20, 2):
        waiting.add(Guest(key, positions=LONG))
        waiting.add(Guest(key + 1, positions=LONG))
        joined += keys(waiting.pick(Room(FEW), now=0.0))

    assert FEW.max_overtakes + FEW.max_sources >= joined.index(0)


GUESTS = st.lists(
    st.tuples(
        st.sampled_from([1, 1, 1, 5]),  # rows
        st.sampled_from([8, 16, 24, 64]),  # positions
        st.none() | st.floats(0.0, 3.0),  # deadline, after arrival
    ),
    max_size=40,
)


@given(GUESTS, st.integers(0, 6), st.integers(1, 6), st.integers(1, 8))
def test_nobody_is_passed_for_ever(guests, overtakes, seats, at_once) -> None:  # type: ignore[no-untyped-def]  # drawn by hypothesis
    """However they come: all get in, none is passed by more than were allowed and one group."""
    limits = EngineLimits(max_rows=8, max_sources=seats, max_overtakes=overtakes)
    waiting, coming, now = queue(limits=limits), list(enumerate(guests)), 0.0
    passed: dict[int, int] = {}
    urgency: dict[int, tuple[float, int]] = {}
    while coming or len(waiting):
        for key, (width, positions, left) in coming[:at_once]:
            deadline = None if left is None else now + left
            waiting.add(Guest(key, width, positions, arrived=now, deadline=deadline))
            urgency[key] = (min(now + 1.0, now + 1.0 if left is None else now + left), key)
            passed[key] = 0
        del coming[:at_once]
        now += 0.01
        group = keys(waiting.pick(Room(limits), now=now))
        for key in group:
            assert passed.pop(key) <= overtakes + seats
        for key in passed:
            passed[key] += sum(urgency[key] < urgency[other] for other in group)

    assert not passed


@given(GUESTS, st.integers(1, 6))
def test_a_pressing_deadline_is_never_passed_by_company(guests, seats) -> None:  # type: ignore[no-untyped-def]  # drawn by hypothesis
    """Who stays behind while somebody with a later deadline, or none, goes in, presses less."""
    limits = EngineLimits(max_rows=400, max_sources=seats)
    waiting = queue(
        *(Guest(k, w, p, deadline=d) for k, (w, p, d) in enumerate(guests)), limits=limits
    )
    pressing = [d for _, _, d in guests if d is not None and d <= limits.horizon_seconds]

    group = waiting.pick(Room(limits), now=0.0)

    first = sorted(each.deadline for each in group if each.deadline is not None)
    assert sorted(pressing)[: len(group)] == first[: min(len(pressing), len(group))]
