"""Through gRPC: one sentence at a time, and many callers at once."""

import json
import statistics
from collections.abc import Iterator
from pathlib import Path

from service.client import Client
from tests.benchmarks import workers
from tests.benchmarks.bench import BATCH, SOURCE, TARGET, Bench
from tests.benchmarks.environments import Missing
from tests.benchmarks.results import Row
from tests.benchmarks.subject import exactly, on_core, seconds
from tests.benchmarks.texts import batches, texts_of

CALLERS = 64
_FIXED = {"beam": 1, "min_length": TARGET, "max_length": TARGET}


def one_at_a_time(bench: Bench) -> Iterator[Row]:
    """The median of one caller's calls, on loopback, against the peer called in process."""
    subject = bench.subject
    texts = texts_of(subject.bundle.tokenizer, SOURCE, max(20, round(400 * bench.scale)))
    name, reason, worker = "ctranslate2", "", None
    try:
        worker = bench.peer("ctranslate2")
        name = worker.name
    except Missing as missing:
        reason = str(missing)
    ours: list[float] = []
    theirs: list[float] = []
    inside: list[float] = []
    translator = subject.translator()
    with bench.server() as server, on_core(bench.other_core), Client(server.address) as client:
        for text in texts[:10]:
            client.translate(text, **_FIXED)
        for text in texts:
            ours.append(seconds(lambda t=text: client.translate(t, **_FIXED)))
            if worker is not None:
                theirs.append(worker.translate([subject.encode(text)], beam=1, length=TARGET))
            with on_core(bench.core):
                inside.append(
                    seconds(lambda t=text: translator.translate_now([t], exactly(TARGET)))
                )
    yield Row(
        what="one sentence at a time, greedy, p50 through gRPC",
        unit="ms",
        parley=statistics.median(ours) * 1e3,
        peer=statistics.median(theirs) * 1e3 if theirs else None,
        peer_name=f"{name} in process",
        at_most=1,
        note=reason or f"in process {statistics.median(inside) * 1e3:.2f} ms",
    )


def many_callers(bench: Bench) -> Iterator[Row]:
    """64 callers of unary calls against the same model in process, on the same core."""
    subject = bench.subject
    texts = texts_of(subject.bundle.tokenizer, SOURCE, 8 * BATCH)
    path = text_file(bench, texts)
    translator, options = subject.translator(), exactly(TARGET)
    served: list[float] = []
    inside: list[float] = []
    per_call: list[float] = []
    p99: list[float] = []
    with bench.server() as server:
        for _round in range(bench.rounds(3)):
            before = server.cpu_seconds()
            told = server.bench(bench.other_core, path, **_load(bench))
            used = [cpu - before.get(task, 0) for task, cpu in server.cpu_seconds().items()]
            served.append(told["texts_per_second"])
            p99.append(told["latency"]["p99"])
            with on_core(bench.core):
                batch_seconds = [
                    seconds(lambda b=batch: translator.translate_now(b, options))
                    for batch in list(batches(texts, BATCH)) * bench.rounds(6)
                ]
            inside.append(BATCH / statistics.median(batch_seconds))
            # The thread that uses most decodes. Warm-up calls come at the same pace.
            calls = told["calls_per_second"] * (told["seconds"] + told["warm_up_seconds"])
            per_call.append((sum(used) - max(used)) / calls)
    yield Row(
        what=f"{CALLERS} callers of unary calls, greedy",
        unit="sentences/s",
        parley=statistics.median(served),
        peer=statistics.median(inside),
        peer_name="Parley in process",
        at_least=0.7,
        note=f"p99 {statistics.median(p99):.0f} ms; server on one core, callers on another",
    )
    yield Row(
        what="server CPU of a unary call beside decoding",
        unit="microseconds",
        parley=statistics.median(per_call) * 1e6,
        at_most=300,
        note=f"{CALLERS} callers; all threads but the one that decodes",
    )


def callers_of_a_peer(bench: Bench) -> Iterator[Row]:
    """The same 64 callers against CTranslate2 behind a server with a dynamic batcher."""
    subject = bench.subject
    texts = texts_of(subject.bundle.tokenizer, SOURCE, 8 * BATCH)
    path = text_file(bench, texts)
    bodies = [
        json.dumps({"source": subject.encode(text), "beam": 1, "length": TARGET}) for text in texts
    ]
    load = (CALLERS, bench.scale, max(0.5, 6 * bench.scale))
    ours: list[dict] = []
    theirs: list[dict] = []
    reason = ""
    try:
        with (
            workers.mosec(bench.core, bench.transformer.directory) as port,
            bench.server() as server,
        ):
            for _round in range(bench.rounds(3)):
                ours.append(server.bench(bench.other_core, path, **_load(bench)))
                theirs.append(workers.http_load(port, bench.other_core, bodies, load))
    except Missing as missing:
        reason = str(missing)
    yield Row(
        what=f"{CALLERS} callers against a server around the peer, greedy",
        unit="sentences/s",
        parley=statistics.median(o["texts_per_second"] for o in ours) if ours else None,
        peer=statistics.median(t["per_second"] for t in theirs) if theirs else None,
        peer_name="CTranslate2 int8 behind mosec",
        at_least=3,
        note=reason
        or f"p99 {statistics.median(o['latency']['p99'] for o in ours):.0f} against "
        f"{statistics.median(t['p99_ms'] for t in theirs):.0f} ms",
    )


def _load(bench: Bench) -> dict[str, object]:
    """So many calls, and not so many seconds: on a busy machine there might be no call in them."""
    return {
        "concurrency": CALLERS,
        "requests": max(2 * CALLERS, round(4000 * bench.scale)),
        "warm_up": bench.scale,
        "beam": 1,
        "min_length": TARGET,
        "max_length": TARGET,
    }


def text_file(bench: Bench, texts: list[str], name: str = "texts.txt") -> Path:
    """A file for `parley bench`."""
    path = bench.work / name
    path.write_text("".join(f"{text}\n" for text in texts))
    return path
