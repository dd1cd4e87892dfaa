"""Requests of mixed lengths at random times: continuous batching against batching per request.

A round measures what each can do when all requests are there at once, then lets the same arrivals
come to each at a share of that: a machine that is slower for a while is so for all, and gets fewer.
"""

import random
import statistics
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, cycle, islice

from service.client.report import percentile
from service.decoding import DecodeRequest, EngineLimits
from tests.benchmarks.bench import BATCH, Bench, tell
from tests.benchmarks.queueing import WorkClock, batched, continuous
from tests.benchmarks.results import Row
from tests.benchmarks.static import StaticSearch
from tests.benchmarks.subject import Subject, on_core
from tests.benchmarks.texts import mixed_lengths, mixed_texts

SHARE = 0.7
OURS, STATIC, LEAVING = "continuous", "batching per request", "the same, finished rows leave"
# Requests of a batch are all there at once, so nothing has to be rationed among them.
_STATIC = EngineLimits(max_rows=BATCH, max_queue=100_000, max_join_positions=1 << 20)
_CONTINUOUS = EngineLimits(max_queue=100_000)
_AT_ONCE, _SECONDS, _ROUNDS = 600, 4.0, 9

Serve = Callable[[Sequence[float]], list[float]]  # latencies of arrivals at these times


def poisson(bench: Bench) -> Iterator[Row]:
    """p99 at 70 % of what the continuous engine can do; then of what batching per request can."""
    texts = bench.pairs.sources if bench.pairs else None
    serve = _servers(bench.subject, mixed_requests(bench.subject, _AT_ONCE, texts))
    duration = _SECONDS * min(1.0, 3 * bench.scale)
    capacities: dict[str, list[float]] = {kind: [] for kind in serve}
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}  # p50 and p99, by whose capacity
    with on_core(bench.core):
        for number in range(bench.rounds(_ROUNDS)):
            for kind, served in serve.items():
                capacities[kind].append(_AT_ONCE / max(served([0.0] * _AT_ONCE)))
            for whose, kinds in ((OURS, tuple(serve)), (STATIC, (OURS, STATIC))):
                times = arrivals(SHARE * capacities[whose][-1], duration, seed=number)
                for kind in kinds:
                    latencies = sorted(serve[kind](times))
                    p50, p99 = (percentile(latencies, part) * 1e3 for part in (0.5, 0.99))
                    found.setdefault((whose, kind), []).append((p50, p99))
                    tell(f"{len(times)} to {kind}: p50 {p50:.1f} ms, p99 {p99:.1f} ms")
    able = {kind: statistics.median(values) for kind, values in capacities.items()}
    what = f"p99, Poisson arrivals of mixed lengths at {SHARE:.0%} of"
    for whose, kind, target in (
        (OURS, STATIC, 1 / 3),
        (OURS, LEAVING, None),
        (STATIC, STATIC, None),
    ):
        yield _row(
            f"{what} {'capacity' if whose is OURS else 'what batching per request can do'}",
            (found[whose, OURS], found[whose, kind]),
            kind,
            target,
            f"can do {able[OURS]:.0f}/s against {able[kind]:.0f}/s",
        )


def _row(
    what: str,
    figures: tuple[list[tuple[float, float]], list[tuple[float, float]]],
    peer_name: str,
    target: float | None,
    note: str,
) -> Row:
    (ours_p50, ours), (peer_p50, peer) = (zip(*each, strict=True) for each in figures)
    ratios = sorted(a / b for a, b in zip(ours, peer, strict=True))
    median = statistics.median
    return Row(
        what=what,
        unit="ms",
        parley=median(ours),
        peer=median(peer),
        peer_name=peer_name,
        by_turns=median(ratios),
        at_most=target,
        note=f"{note}; p50 {median(ours_p50):.1f} against {median(peer_p50):.1f} ms; "
        f"{len(ratios)} rounds, ratios {ratios[0]:.2f} to {ratios[-1]:.2f}",
    )


def _servers(subject: Subject, requests: Sequence[DecodeRequest]) -> dict[str, Serve]:
    """Each way to serve, on the one stepper."""
    search, engine = StaticSearch(subject.stepper), subject.engine(_STATIC)
    return {
        OURS: lambda times: continuous(subject.stepper, _CONTINUOUS, requests, times, WorkClock()),
        STATIC: lambda times: batched(search.decode, BATCH, requests, times, WorkClock()),
        LEAVING: lambda times: batched(engine.decode, BATCH, requests, times, WorkClock()),
    }


def mixed_requests(
    subject: Subject, count: int, texts: Sequence[str] | None = None
) -> list[DecodeRequest]:
    """Greedy requests whose source and target have the same, mixed, lengths.

    Their tokens are those of `texts`, one text after the other (else of words of real sentences):
    with a shortlist, time depends on how many target tokens the sources make likely.
    """
    limits = subject.bundle.manifest.limits
    longest = min(limits.max_source_tokens, limits.max_target_tokens)
    texts = texts or mixed_texts(subject.bundle.tokenizer, count, longest)
    ids = chain.from_iterable(subject.encode(text)[:-1] for text in cycle(texts))
    eos = subject.bundle.manifest.special_ids.eos
    return [
        subject.request([*islice(ids, length - 1), eos], length=length)
        for length in mixed_lengths(count, longest)
    ]


def arrivals(rate: float, duration: float, seed: int) -> list[float]:
    """Seconds after the start, for `rate` arrivals a second on average."""
    chance = random.Random(seed)
    times = [chance.expovariate(rate)]
    while times[-1] < duration:
        times.append(times[-1] + chance.expovariate(rate))
    return times
