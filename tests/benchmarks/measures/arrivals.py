"""Requests of mixed lengths at random times: continuous batching against batching per request."""

import random
import statistics
import threading
import time
from collections.abc import Iterator, Sequence

from service.client.report import percentile
from service.decoding import DecodeRequest, EngineLimits
from tests.benchmarks.bench import BATCH, Bench, tell
from tests.benchmarks.results import Row
from tests.benchmarks.static import StaticBatches, Submit
from tests.benchmarks.subject import Subject, on_core, seconds
from tests.benchmarks.texts import mixed_lengths

SHARE = 0.7
KINDS = ("continuous", "static")
# Requests of a batch are all there at once, so nothing has to be rationed among them.
_STATIC = EngineLimits(max_rows=BATCH, max_queue=100_000, max_join_positions=1 << 20)
_CONTINUOUS = EngineLimits(max_queue=100_000)


def poisson(bench: Bench) -> Iterator[Row]:
    """p99 at 70 % of what the continuous engine can do, the same arrivals for both."""
    subject = bench.subject
    requests = mixed_requests(subject, max(200, round(2000 * bench.scale)))
    capacity = _capacity(bench, subject, requests)
    tell(f"capacity {capacity:.0f}/s; arrivals at {SHARE * capacity:.0f}/s")
    p99: dict[str, list[float]] = {kind: [] for kind in KINDS}
    p50: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for number in range(bench.rounds(3)):
        times = arrivals(SHARE * capacity, 10 * bench.scale, seed=number)
        for kind in KINDS:
            latencies = sorted(_served(bench, kind, requests, times))
            p99[kind].append(percentile(latencies, 0.99))
            p50[kind].append(percentile(latencies, 0.5))
            tell(f"{kind}: p50 {p50[kind][-1] * 1e3:.1f} ms, p99 {p99[kind][-1] * 1e3:.1f} ms")
    ours, theirs = (statistics.median(p99[kind]) * 1e3 for kind in KINDS)
    halves = [statistics.median(p50[kind]) * 1e3 for kind in KINDS]
    yield Row(
        what=f"p99, Poisson arrivals of mixed lengths at {SHARE:.0%} of capacity",
        unit="ms",
        parley=ours,
        peer=theirs,
        peer_name="batching per request",
        at_most=1 / 3,
        note=f"{SHARE * capacity:.0f}/s; p50 {halves[0]:.1f} against {halves[1]:.1f} ms",
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


def _capacity(bench: Bench, subject: Subject, requests: Sequence[DecodeRequest]) -> float:
    """Requests a second when there are always enough of them."""
    engine = subject.engine(_CONTINUOUS)
    with on_core(bench.core):
        engine.decode(requests[:BATCH])
        spent = [seconds(lambda: engine.decode(requests)) for _ in range(bench.rounds(3))]
    return len(requests) / statistics.median(spent)


def _served(
    bench: Bench, kind: str, requests: Sequence[DecodeRequest], times: Sequence[float]
) -> list[float]:
    """Latencies, in seconds from when each request was meant to arrive."""
    subject = bench.subject
    if kind == "static":
        engine = StaticBatches(subject.engine(_STATIC), BATCH)
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
    submit: Submit, requests: Sequence[DecodeRequest], times: Sequence[float]
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
