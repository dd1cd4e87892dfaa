"""Throughput and latency by concurrency: figures for the plot in the documents."""

import json
import subprocess
from pathlib import Path

from tests.benchmarks.bench import Bench, tell
from tests.benchmarks.environments import PEERS, tools
from tests.benchmarks.measures.calls import text_file
from tests.benchmarks.texts import mixed_texts

CONCURRENCIES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


def by_concurrency(bench: Bench) -> list[dict[str, float]]:
    """One point per concurrency: greedy, one text a call, mixed lengths or those of the file."""
    subject = bench.subject
    texts = (
        bench.pairs.sources
        if bench.pairs
        else mixed_texts(
            subject.bundle.tokenizer, 1000, subject.bundle.manifest.limits.max_source_tokens
        )
    )
    path = text_file(bench, texts, "sweep.txt")
    points = []
    with bench.server() as server:
        for callers in CONCURRENCIES:
            told = server.bench(
                bench.other_core,
                path,
                concurrency=callers,
                duration=max(1.5, 4 * bench.scale),
                warm_up=bench.scale,
                beam=1,
            )
            latency = told["latency"]
            points.append(
                {
                    "concurrency": callers,
                    "texts_per_second": told["texts_per_second"],
                    "p50_ms": latency["p50"],
                    "p99_ms": latency["p99"],
                }
            )
            tell(
                f"{callers} callers: {told['texts_per_second']:.0f}/s, p99 {latency['p99']:.1f} ms"
            )
    return points


def plot(points: list[dict[str, float]], title: str, path: Path) -> None:
    """Draw the points; raises Missing where matplotlib cannot be installed."""
    python = tools()
    told = json.dumps({"points": points, "title": title, "path": str(path)})
    subprocess.run([python, PEERS / "plot.py"], input=told, text=True, check=True)
