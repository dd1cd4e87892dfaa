"""`parley bench` against a real server on the frozen model."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.system.server import PATIENCE, ROOT, Server


def bench(server: Server, *options: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "service", "bench", "--server", server.grpc_address, "--json"]
    done = subprocess.run(
        [*command, "--warm-up", "0.1", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.fixture
def texts(tmp_path: Path) -> str:
    path = tmp_path / "texts.txt"
    path.write_text("the quick brown fox\njumps\nover the lazy dog\n")
    return str(path)


@pytest.mark.parametrize("pattern", [("--concurrency", "8"), ("--rate", "200")])
def test_a_load_is_measured_and_the_server_has_seen_every_call(
    shared_server: Server, texts: str, pattern: tuple[str, str]
) -> None:
    handled = (
        'grpc_server_handled_total{grpc_code="OK",grpc_method="Translate",'
        'grpc_service="parley.v1.Translation",grpc_type="unary"}'
    )
    shared_server.translate("abc")
    before = shared_server.metric(handled)
    told = bench(shared_server, *pattern, "--requests", "50", "--beam", "2", texts)

    assert {} == told["errors"]
    assert 50 == told["calls"]
    assert told["calls_per_second"] > 0
    assert 0 < told["latency"]["p50"] <= told["latency"]["p99_9"] <= told["latency"]["max"]
    # One more to see whether it works at all, and those of the warm-up.
    assert shared_server.metric(handled) - before >= 51


def test_calls_of_several_texts_are_answered_in_full(shared_server: Server, texts: str) -> None:
    told = bench(shared_server, "--batch", "16", "--requests", "5", "--concurrency", "2", texts)

    assert {} == told["errors"]
    assert 16 * told["calls_per_second"] == pytest.approx(told["texts_per_second"])
