"""Peers do their part in processes of their own, or are missing with the reason."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from tests.benchmarks.bench import Bench
from tests.benchmarks.environments import Missing
from tests.benchmarks.measures.real import real_sentences
from tests.benchmarks.texts import Pairs
from tests.benchmarks.transformer import Transformer
from tests.benchmarks.workers import Worker
from tests.support.bundles import FROZEN

pytestmark = pytest.mark.benchmark


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


def test_what_is_no_model_for_the_peer_is_missing_with_the_reason(tmp_path):
    with pytest.raises(Missing, match=r"elsewhere is no model for CTranslate2: .*tokenizer.json"):
        Transformer(tmp_path / "elsewhere")


def directory_with_letters(path: Path) -> Path:
    """A model of the peer's, as far as the tests look into it: its tokenizer, which is FROZEN's."""
    told = json.loads((FROZEN / "manifest.json").read_text())["tokenizer"]
    (path / "tokenizer.json").write_text(json.dumps(told))
    shutil.copy(FROZEN / told["file"], path)
    return path


REVERSING = """
print(json.dumps({"name": "mirror"}), flush=True)
for line in sys.stdin:
    targets = [ids[-2::-1] for ids in json.loads(line)["sources"]]  # the last ends the source
    print(json.dumps({"seconds": 0.25, "targets": targets}), flush=True)
"""


def test_the_peer_is_scored_on_what_it_says_itself(tmp_path, pairs, monkeypatch):
    bench = Bench(bundle=FROZEN, work=tmp_path, scale=0.001, pairs=Pairs.read(pairs, "1,2"))
    monkeypatch.setattr(bench, "peer", {"ctranslate2": worker(tmp_path, REVERSING)}.__getitem__)
    bench.transformer = Transformer(directory_with_letters(tmp_path))
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
