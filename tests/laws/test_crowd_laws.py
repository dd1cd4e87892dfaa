"""The same answer in any crowd: with whom, when and how one is decoded does not show in it."""

import dataclasses
import random
import threading
from concurrent.futures import Future

from hypothesis import given
from hypothesis import strategies as st

from service.decoding import DecodeRequest, DecodeResult, Engine, EngineLimits, StepReport
from service.decoding.crank import Crank
from tests.laws.requests import SEEDS, requests, wishful
from tests.support.decoding import ManualClock, arbitrary_stepper, decode_one, turn_until_done

PLAIN = requests(widths=st.sampled_from([1, 1, 1, 2, 3, 5, 8]), longest=12)
ANY = PLAIN | wishful(PLAIN, vocabulary=12, drawn=st.booleans(), required=st.booleans())
CROWD = st.lists(ANY, min_size=1, max_size=12)
LIMITS = st.builds(
    EngineLimits,
    max_rows=st.integers(8, 40),
    max_sources=st.integers(1, 14),
    max_positions=st.integers(8, 80),
    max_join_positions=st.integers(1, 40),
    max_overtakes=st.integers(0, 3),
)


def plain(result: DecodeResult) -> DecodeResult:
    """A result without its times."""
    return dataclasses.replace(result, queue_seconds=0, decode_seconds=0, first_token_seconds=0)


@given(SEEDS, CROWD, LIMITS)
def test_everybody_gets_in_a_crowd_what_they_get_alone(
    seed: int, crowd: list[DecodeRequest], limits: EngineLimits
) -> None:
    together = Engine(arbitrary_stepper(seed), limits).decode(crowd)

    alone = [decode_one(arbitrary_stepper(seed), request) for request in crowd]
    assert [plain(result) for result in alone] == [plain(result) for result in together]


@given(SEEDS, CROWD, LIMITS)
def test_order_in_is_order_out(seed: int, crowd: list[DecodeRequest], limits: EngineLimits) -> None:
    forwards = Engine(arbitrary_stepper(seed), limits).decode(crowd)
    backwards = Engine(arbitrary_stepper(seed), limits).decode(crowd[::-1])

    assert [plain(r) for r in forwards] == [plain(r) for r in backwards[::-1]]


@given(SEEDS, CROWD, st.sampled_from([1, 2, 8, 64]))
def test_padding_changes_nothing(seed: int, crowd: list[DecodeRequest], multiple: int) -> None:
    padded, tight = arbitrary_stepper(seed), arbitrary_stepper(seed)
    padded.position_multiple, tight.position_multiple = multiple, 1

    assert [plain(r) for r in Engine(tight).decode(crowd)] == [
        plain(r) for r in Engine(padded).decode(crowd)
    ]


@given(SEEDS, CROWD, st.randoms(use_true_random=False))
def test_joining_late_and_cancelled_neighbours_change_nothing(
    seed: int, crowd: list[DecodeRequest], chance: random.Random
) -> None:
    """Every request arrives at a turn of its own, and some are cancelled at another."""
    limits = EngineLimits(max_rows=24, max_positions=64)
    crank = Crank(arbitrary_stepper(seed), limits, ManualClock())
    arrivals = {key: chance.randrange(12) for key in range(len(crowd))}
    cancels = {key: chance.randrange(20) for key in arrivals if chance.random() < 0.4}
    answered: dict[int, DecodeResult] = {}
    shown_out: set[int] = set()

    for turn in range(400):
        new = [crank.sequence(k, crowd[k], 0.0) for k, at in arrivals.items() if at == turn]
        dead = {k for k, at in cancels.items() if at == turn}
        outcome, _ = crank.run(crank.admit(new, dead), 0.0)
        assert not outcome.failed
        answered |= {s.key: s.result() for s in outcome.finished}
        shown_out |= {s.key for s in outcome.cancelled}

    assert set(arrivals) == set(answered) | shown_out
    for key, result in answered.items():
        assert plain(decode_one(arbitrary_stepper(seed), crowd[key])) == plain(result)


@given(SEEDS, CROWD, LIMITS)
def test_budgets_are_never_exceeded(
    seed: int, crowd: list[DecodeRequest], limits: EngineLimits
) -> None:
    stepper = arbitrary_stepper(seed)
    run = stepper.step
    positions: list[int] = []

    def watch(work):  # type: ignore[no-untyped-def]  # only handed through
        output = run(work)
        positions.append((int(work.sources_R.max()) + 1) * output.attention_RS.shape[1])
        return output

    stepper.step = watch  # type: ignore[method-assign]  # a look at what goes by
    reports: list[StepReport] = []

    Engine(stepper, limits, on_step=reports.append).decode(crowd)

    assert max(report.rows for report in reports) <= limits.max_rows
    assert max(report.sources for report in reports) <= limits.max_sources
    assert max(positions) <= limits.max_positions


@given(SEEDS, CROWD)
def test_the_engine_ends_empty(seed: int, crowd: list[DecodeRequest]) -> None:
    """Nothing is left behind that could grow: no row, source, seat or place in the queue."""
    stepper = arbitrary_stepper(seed)
    crank = Crank(stepper, EngineLimits(max_rows=16), ManualClock())
    everybody = [crank.sequence(key, request, 0.0) for key, request in enumerate(crowd)]

    crank.run(crank.admit(everybody, ()), 0.0)
    turn_until_done(lambda: crank.run(crank.admit((), ()), 0.0), lambda: not crank.busy)

    assert (0, 0, 0) == (crank.waiting, crank.waiting_rows, crank.reserved_rows)
    assert [] == stepper.held_sources


def test_32_threads_at_once_get_what_each_gets_alone() -> None:
    chance = random.Random(0)
    crowd = [
        DecodeRequest(
            source=(*(chance.randrange(3, 10) for _ in range(chance.randrange(1, 9))), 2),
            beam=chance.choice([1, 1, 2, 5]),
            max_length=12,
            length_normalisation="average",
            alignments=bool(index % 2),
        )
        for index in range(32 * 4)
    ]
    engine = Engine(arbitrary_stepper(), EngineLimits(max_rows=30))
    engine.start()
    futures: list[Future[DecodeResult] | None] = [None] * len(crowd)
    together = threading.Barrier(32)

    def submit(first: int) -> None:
        together.wait()
        for index in range(first, len(crowd), 32):
            futures[index] = engine.submit(crowd[index])

    threads = [threading.Thread(target=submit, args=(n,)) for n in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    results = [future.result(timeout=60) for future in futures if future is not None]
    assert engine.stop(drain_seconds=10)
    alone = [decode_one(arbitrary_stepper(), request) for request in crowd]
    assert [plain(result) for result in alone] == [plain(result) for result in results]
