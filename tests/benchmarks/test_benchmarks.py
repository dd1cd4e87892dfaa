"""The benchmarks run, on the frozen model and without peers; nothing here looks at speed."""

import gzip
import json
import sys
from pathlib import Path

import pytest

from service.decoding import EngineLimits
from tests.benchmarks.__main__ import MEASURES, main
from tests.benchmarks.bench import Bench
from tests.benchmarks.environments import Missing
from tests.benchmarks.measures.arrivals import arrivals, mixed_requests
from tests.benchmarks.measures.real import real_sentences
from tests.benchmarks.queueing import WorkClock, batched, continuous
from tests.benchmarks.results import Row, markdown, table, write_between_marks
from tests.benchmarks.static import StaticSearch
from tests.benchmarks.subject import Subject
from tests.benchmarks.texts import Pairs, mixed_lengths, mixed_texts, texts_of
from tests.benchmarks.transformer import Transformer
from tests.benchmarks.workers import Worker
from tests.support.bundles import FROZEN
from tests.support.decoding import ManualClock

pytestmark = pytest.mark.benchmark


@pytest.fixture(scope="module")
def subject() -> Subject:
    return Subject(FROZEN)


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.tsv.gz"
    path.write_bytes(gzip.compress(b"cba\tabc\tx\nfed\tdef\tx\ncab\tabc\tx\n"))
    return path


@pytest.mark.parametrize("name", MEASURES)
def test_every_measure_yields_rows_for_the_table(name, tmp_path, pairs, capsys):
    out = tmp_path / "latest.json"
    options = f"--bundle {FROZEN} --only {name} --no-peers --scale 0.001 --out {out}"
    code = main([*options.split(), "--tsv", str(pairs), "--columns", "2,1"])
    told = json.loads(out.read_text())
    printed = capsys.readouterr().out

    assert 0 == code, printed
    assert {"machine", "rows"} == set(told)
    assert told["machine"]["cpu"]
    assert told["rows"]
    for row in told["rows"]:
        assert {"what", "parley", "peer", "ratio", "target", "met"} <= set(row)
        assert "failed" not in row["note"]
        assert row["what"] in printed


def test_a_measure_that_fails_is_a_row_and_an_exit_code(tmp_path, monkeypatch, capsys):
    def broken(bench: Bench):
        yield Row(what="before", unit="s", parley=1.0)
        raise ValueError("broken")

    monkeypatch.setitem(MEASURES, "start", broken)
    out = tmp_path / "latest.json"
    options = f"--bundle {FROZEN} --only start --no-peers --scale 0.001 --out {out}"

    assert 1 == main(options.split())
    assert "failed: ValueError('broken')" in capsys.readouterr().out
    assert ["before", "start"] == [row["what"] for row in json.loads(out.read_text())["rows"]]


@pytest.mark.parametrize(
    ("row", "ratio", "target", "met"),
    [
        (Row(what="x", unit="/s", parley=6, peer=2, peer_name="p", at_least=3), 3, ">= 3x", True),
        (
            Row(what="x", unit="/s", parley=5, peer=2, peer_name="p", at_least=3),
            2.5,
            ">= 3x",
            False,
        ),
        (Row(what="x", unit="ms", parley=1, peer=2, peer_name="p", at_most=1), 0.5, "<= 1x", True),
        (Row(what="x", unit="MB", parley=251, at_most=250), None, "<= 250 MB", False),
        (Row(what="x", unit="/s", parley=6, peer_name="p", at_least=3), None, ">= 3x", None),
        (Row(what="x", unit="/s", parley=6), None, "", None),
    ],
)
def test_a_row_knows_whether_its_target_is_met(row, ratio, target, met):
    assert (ratio, target, met) == (row.ratio, row.target, row.met)
    assert target in table({"cpu": "x"}, [row])


def test_a_document_gets_the_table_between_its_marks(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# Page\n<!-- measured: begin -->\nold\n<!-- measured: end -->\nThe end.\n")
    row = Row(what="speed", unit="/s", parley=6, peer=2, peer_name="p", at_least=3)
    write_between_marks(page, markdown({"memory_gb": 8}, [row]))
    text = page.read_text()

    assert "old" not in text
    assert "memory gb 8." in text
    assert "| speed | 6 /s | 2 p | 3 | >= 3x | yes |  |" in text
    assert text.startswith("# Page\n")
    assert text.endswith("\nThe end.\n")


def test_texts_have_exactly_the_tokens_asked_for(subject):
    texts = texts_of(subject.bundle.tokenizer, 16, 40)

    assert 40 == len(set(texts))
    assert {16} == {len(subject.encode(text)) for text in texts}


def test_every_sentence_of_a_batch_gets_exactly_its_length(subject):
    requests = [
        subject.request(subject.encode("abc"), length=n, beam=b) for n in (1, 7) for b in (1, 3)
    ]

    assert [1, 1, 7, 7] == [len(r.best.tokens) for r in subject.engine().decode(requests)]


def test_mixed_lengths_are_of_all_kinds_and_within_the_limit():
    lengths = sorted(mixed_lengths(1000, longest=60))

    assert 18 == pytest.approx(lengths[500], abs=2)
    assert lengths[0] <= 5
    assert 60 == lengths[-1]


def test_mixed_texts_are_what_the_model_takes(subject):
    lengths = [len(subject.encode(t)) for t in mixed_texts(subject.bundle.tokenizer, 50, 40)]

    assert max(lengths) < 64
    assert len(set(lengths)) > 10


def test_a_file_of_pairs_is_read_once_per_source_with_all_its_references(pairs):
    read = Pairs.read(pairs, "2,1")

    assert (["abc", "def"], [["cba", "cab"], ["fed"]]) == (read.sources, read.references)


def test_static_search_finds_what_the_engine_finds(subject):
    requests = mixed_requests(subject, 20)
    found = StaticSearch(subject.stepper).decode(requests)
    tokens = [tuple(row[: r.max_length]) for row, r in zip(found.tolist(), requests, strict=True)]

    assert tokens == [each.best.tokens for each in subject.engine().decode(requests)]


class PacedClock(ManualClock):
    """A clock that moves only when it is told to."""

    def skip_to(self, moment):
        self.now = max(self.now, moment)


def test_batching_per_request_answers_a_batch_when_all_of_it_is_done(subject):
    """A batch takes a second; those who come meanwhile are the next, at most two at a time."""
    clock, sizes = PacedClock(), []

    def decode(requests):
        sizes.append(len(requests))
        clock.now += 1.0

    times = [0.5, 0.6, 0.7, 0.8, 9.0]
    latencies = batched(decode, 2, mixed_requests(subject, 5), times, clock)

    assert [1, 2, 1, 1] == sizes
    assert [1.0, 1.9, 1.8, 2.7, 1.0] == pytest.approx(latencies)


def test_everybody_is_served_and_time_without_work_is_skipped(subject):
    requests, clock = mixed_requests(subject, 10), WorkClock()
    times = [*arrivals(rate=2000.0, duration=0.1, seed=1), 5000.0]
    latencies = continuous(subject.stepper, EngineLimits(), requests, times, clock)

    assert len(times) == len(latencies)
    assert 0 < min(latencies) <= max(latencies) < 4000
    assert clock() > 5000


def test_arrivals_come_at_their_rate():
    assert 200 == pytest.approx(len(arrivals(rate=2000.0, duration=0.1, seed=1)), rel=0.3)


def worker(tmp_path: Path, code: str) -> Worker:
    script = tmp_path / "worker.py"
    script.write_text(f"import json, sys\n{code}\n")
    return Worker(Path(sys.executable), str(script))


ANSWER = """
print(json.dumps({"name": "echo"}), flush=True)
for line in sys.stdin:
    work = json.loads(line)
    tokens = len(work["sources"]) * work["length"]
    print(json.dumps({"seconds": 0.25, "tokens": tokens}), flush=True)
"""


def test_a_worker_tells_its_name_and_its_own_time(tmp_path):
    echo = worker(tmp_path, ANSWER)

    assert "echo" == echo.name
    assert 0.25 == echo.translate([[1, 2], [3]], beam=1, length=15)
    echo.close()


def test_a_peer_that_cannot_start_is_missing_with_its_reason(tmp_path):
    with pytest.raises(Missing, match="ended: ImportError: no such peer"):
        worker(tmp_path, "raise ImportError('no such peer')")


def test_a_peer_that_did_something_else_is_not_compared_with(tmp_path):
    hasty = worker(tmp_path, ANSWER.replace('work["length"]', "1"))
    with pytest.raises(Missing, match="answered with 1 tokens, not 15"):
        hasty.translate([[1]], beam=1, length=15)
    hasty.close()


def test_what_was_not_asked_for_is_missing(tmp_path):
    with pytest.raises(Missing, match="not asked for"):
        Bench(bundle=FROZEN, work=tmp_path, peers=()).peer("ctranslate2")


def test_weights_for_the_peer_come_from_a_run_and_from_nothing_else(tmp_path):
    with pytest.raises(Missing, match=r"elsewhere is no run of parley-train: .*model\.safetensors"):
        Transformer.made(tmp_path / "elsewhere")


REVERSING = """
print(json.dumps({"name": "mirror"}), flush=True)
for line in sys.stdin:
    targets = [ids[-2::-1] for ids in json.loads(line)["sources"]]  # the last ends the source
    print(json.dumps({"seconds": 0.25, "targets": targets}), flush=True)
"""


def test_a_peer_with_trained_weights_is_scored_on_what_it_says_itself(
    tmp_path, pairs, subject, monkeypatch
):
    bench = Bench(bundle=FROZEN, work=tmp_path, scale=0.001, pairs=Pairs.read(pairs, "1,2"))
    monkeypatch.setattr(bench, "peer", {"ctranslate2": worker(tmp_path, REVERSING)}.__getitem__)
    bench.transformer = Transformer(directory=tmp_path, tokenizer=subject.bundle.tokenizer)
    monkeypatch.setattr(
        "tests.benchmarks.measures.real._bleu",
        lambda _bench, told, wanted: (
            float(sum(t in w for t, w in zip(told, wanted, strict=True))),
            "",
        ),
    )
    speed, score = list(real_sentences(bench))[:2]
    bench.peer("ctranslate2").close()

    assert ("mirror", 3 / 0.25) == (speed.peer_name, speed.peer)
    assert "mean length 4.0 tokens, the peer's 4.0" == speed.note
    assert (2.0, 2.0, "") == (score.parley, score.peer, score.note)
