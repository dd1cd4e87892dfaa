"""The server as a process: its memory, and how long it takes to be ready."""

import statistics
from collections.abc import Iterator

from tests.benchmarks.bench import Bench, tell
from tests.benchmarks.measures.calls import CALLERS, text_file
from tests.benchmarks.results import Row
from tests.benchmarks.server import Server
from tests.benchmarks.texts import mixed_texts

_PARTS = 10


def memory(bench: Bench) -> Iterator[Row]:
    """Resident memory after many requests of mixed lengths, and how much of it came late."""
    subject = bench.subject
    longest = subject.bundle.manifest.limits.max_source_tokens
    texts = mixed_texts(subject.bundle.tokenizer, 1000, longest)
    path = text_file(bench, texts, "mixed.txt")
    calls = max(_PARTS * 20, round(100_000 * bench.scale))
    load = {"concurrency": CALLERS, "warm_up": 0}
    with bench.server() as server:
        first = server.resident_mb()
        server.bench(bench.other_core, path, requests=calls // 100 or 1, beam=5, **load)
        seen = []
        for _part in range(_PARTS):
            server.bench(bench.other_core, path, requests=calls // _PARTS, beam=1, **load)
            seen.append(server.resident_mb())
            tell(f"{calls * len(seen) // _PARTS} requests: {seen[-1]:.0f} MB resident")
    what = f"after {calls} requests of mixed lengths"
    yield Row(
        what=f"resident memory {what}",
        unit="MB",
        parley=seen[-1],
        at_most=250,
        note=f"{first:.0f} MB when ready, at most {max(seen):.0f} MB",
    )
    yield Row(
        what="growth of it over the last half of them",
        unit="MB",
        parley=seen[-1] - seen[_PARTS // 2 - 1],
        at_most=5,
        note="flat: no more than 5 MB",
    )


def start(bench: Bench) -> Iterator[Row]:
    """From starting the process to readiness, goldens decoded."""
    found = []
    for _round in range(bench.rounds(7)):
        with Server.running(bench.models, None) as server:
            found.append(server.seconds_to_ready)
    yield Row(
        what="start of the process to READY",
        unit="s",
        parley=statistics.median(found),
        at_most=1.5,
        note=f"{min(found):.2f} to {max(found):.2f} s over {len(found)} starts",
    )
