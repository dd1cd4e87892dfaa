"""Requests of mixed lengths at random times: continuous batching against batching per request."""

import random
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future

from service.client.report import percentile
from service.decoding import DecodeRequest, EngineLimits
from tests.benchmarks.bench import BATCH, Bench, tell
from tests.benchmarks.results import Row
from tests.benchmarks.static import StaticBatches, StaticSearch
from tests.benchmarks.subject import Subject, on_core, seconds
from tests.benchmarks.texts import mixed_lengths

SHARE = 0.7
STATIC, LEAVING = "batching per request", "the same, finished rows leave"
KINDS = ("continuous", STATIC, LEAVING)
# Requests of a batch are all there at once, so nothing has to be rationed among them.
_STATIC = EngineLimits(max_rows=BATCH, max_queue=100_000, max_join_positions=1 << 20)
_CONTINUOUS = EngineLimits(max_queue=100_000)


def poisson(bench: Bench) -> Iterator[Row]:
    """p99 at 70 % of what the continuous engine can do, the same arrivals for all."""
    requests = mixed_requests(bench.subject, max(200, round(2000 * bench.scale)))
    capacity = _capacity(bench, requests)
    rate = SHARE * capacity
    tell(f"capacity {capacity:.0f}/s; arrivals at {rate:.0f}/s")
    p99: dict[str, list[float]] = {kind: [] for kind in KINDS}
    p50: dict[str, list[float]] = {kind: [] for kind in KINDS}
    count = 0
    for number in range(bench.rounds(3)):
        times = arrivals(rate, max(0.3, 20 * bench.scale), seed=number)
        count += len(times)
        for kind in KINDS:
            latencies = sorted(_served(bench, kind, requests, times))
            p99[kind].append(percentile(latencies, 0.99) * 1e3)
            p50[kind].append(percentile(latencies, 0.5) * 1e3)
            tell(f"{kind}: p50 {p50[kind][-1]:.1f} ms, p99 {p99[kind][-1]:.1f} ms")
    ours, ours_p50 = (statistics.median(found["continuous"]) for found in (p99, p50))
    for kind, target in ((STATIC, 1 / 3), (LEAVING, None)):
        yield Row(
            what=f"p99, Poisson arrivals of mixed lengths at {SHARE:.0%} of capacity",
            unit="ms",
            parley=ours,
            peer=statistics.median(p99[kind]),
            peer_name=kind,
            at_most=target,
            note=f"{count} arrivals at {rate:.0f}/s; "
            f"p50 {ours_p50:.1f} against {statistics.median(p50[kind]):.1f} ms",
        )


def mixed_requests(subject: Subject, count: int) -> list[DecodeRequest]:
    """Greedy requests whose source and target have the same, mixed, lengths."""
    limits = subject.bundle.manifest.limits
    special = subject.bundle.manifest.special_ids
    first = max(special.pad, special.unk, special.bos, special.eos) + 1
    last = subject.bundle.tokenizer.vocabulary_size - 1
    longest = min(limits.max_source_tokens, limits.max_target_tokens)
    chance = random.Random(1)
    requests = []
    for length in mixed_lengths(count, longest):
        source = [chance.randint(first, last) for _ in range(length - 1)]
        requests.append(subject.request([*source, special.eos], length=length))
    return requests


def arrivals(rate: float, duration: float, seed: int) -> list[float]:
    """Seconds after the start, for `rate` arrivals a second on average."""
    chance = random.Random(seed)
    times = [chance.expovariate(rate)]
    while times[-1] < duration:
        times.append(times[-1] + chance.expovariate(rate))
    return times


def _capacity(bench: Bench, requests: Sequence[DecodeRequest]) -> float:
    """Requests a second when there are always enough of them."""
    engine = bench.subject.engine(_CONTINUOUS)
    with on_core(bench.core):
        engine.decode(requests[:BATCH])
        spent = [seconds(lambda: engine.decode(requests)) for _ in range(bench.rounds(3))]
    return len(requests) / statistics.median(spent)


def _served(
    bench: Bench, kind: str, requests: Sequence[DecodeRequest], times: Sequence[float]
) -> list[float]:
    """Latencies, in seconds from when each request was meant to arrive."""
    subject = bench.subject
    if kind == STATIC:
        engine = StaticBatches(StaticSearch(subject.stepper).decode, BATCH)
    elif kind == LEAVING:
        engine = StaticBatches(subject.engine(_STATIC).decode, BATCH)
    else:
        engine = subject.engine(_CONTINUOUS)
    with on_core(bench.core):
        engine.start()
    try:
        with on_core(bench.other_core):
            return submitted(engine.submit, requests, times)
    finally:
        engine.stop()


def submitted(
    submit: Callable[[DecodeRequest], Future],
    requests: Sequence[DecodeRequest],
    times: Sequence[float],
) -> list[float]:
    """Submit at these times, wait for everybody; seconds from the time that was meant."""
    latencies: list[float] = []
    everybody = threading.Semaphore(0)
    start = time.perf_counter() + 0.05
    for number, offset in enumerate(times):
        meant = start + offset
        delay = meant - time.perf_counter()
        if delay > 0:
            time.sleep(delay)

        def answered(future: object, meant: float = meant) -> None:
            future.result()
            latencies.append(time.perf_counter() - meant)
            everybody.release()

        submit(requests[number % len(requests)]).add_done_callback(answered)
    for _each in times:
        everybody.acquire()
    return latencies
