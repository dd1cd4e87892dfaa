"""Training: target tokens a second beside OpenNMT-py, one shape, one thread, the same sentences."""

import json
import os
import random
import statistics
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from tests.benchmarks import workers
from tests.benchmarks.bench import Bench, tell
from tests.benchmarks.environments import Missing
from tests.benchmarks.machine import ROOT
from tests.benchmarks.results import Row
from tests.benchmarks.texts import mixed_lengths

_WORDS = [chr(0x4E00 + number) for number in range(7990)]  # and the special ones: about 8,000
_SENTENCES, _LONGEST, _BATCH = 5000, 50, 1600
_TIMES = 2  # that each is trained, taking turns
# Bidirectional encoder of 2 x 512 in all, decoder of 2 x 512, embeddings of 256, general attention.
_RECIPE = """
name = "speed"
source_language = "und"
target_language = "und"
task = "transduction"
data = {{ kind = "tsv", train = "pairs.tsv", dev = "few.tsv", max_tokens = 64 }}
tokenizer = {{ kind = "characters" }}
batches = {{ target_tokens = {batch} }}
training = {{ epochs = 2, precision = "{precision}", patience = 9 }}
evaluation = {{ metric = "exact_match", beam = 1, max_length_ratio = 0.0, max_length_offset = 2 }}

[model]
cell = "lstm"
embedding = 256
encoder_hidden = 256
encoder_layers = 2
decoder_hidden = 512
decoder_layers = 2
attention = "general"
dropout = 0.3
"""


def tokens_a_second(bench: Bench) -> Iterator[Row]:
    """In float32, and as a recipe trains by default: in bfloat16 where the processor has it."""
    what = "training an LSTM 2+2 of width 512 with attention"
    shown = {"fp32": f"{what}, float32", "auto": f"{what}, precision auto"}
    python = _python()
    if python is None:
        note = "needs the training environment: make train-env"
        yield from (
            Row(what=each, unit="tokens/s", parley=None, at_least=2, note=note)
            for each in shown.values()
        )
        return
    tokens = _write_corpus(bench.work, max(8, round(_SENTENCES * bench.scale)))
    tell(f"{tokens} target tokens, one thread")
    peer: str | None = None
    found: dict[str, list[float]] = {"fp32": [], "auto": [], "peer": []}
    for turn in range(_TIMES if bench.scale == 1 else 1):
        for precision in shown:
            run = bench.work / f"{precision}-{turn}"
            found[precision].append(tokens / _epoch_seconds(bench, python, precision, run))
        try:
            if "opennmt" not in bench.peers:
                raise Missing("opennmt not asked for")
            found["peer"].append(workers.opennmt_training([bench.core], bench.work, tokens))
        except Missing as missing:
            peer = str(missing)
    for precision, name in shown.items():
        yield Row(
            what=name,
            unit="tokens/s",
            parley=statistics.median(found[precision]),
            peer=statistics.median(found["peer"]) if found["peer"] else None,
            peer_name="OpenNMT-py 3.5.1",
            at_least=2,
            note=peer or "the peer in float32; tokens without padding, batches of about as many",
        )


def _write_corpus(work: Path, count: int) -> int:
    """Pairs of random words, of everyday lengths, in both systems' formats; how many target tokens
    an epoch has, end marks included.
    """
    chance = random.Random(1)
    lengths = mixed_lengths(count, _LONGEST)
    pairs = [
        [
            "".join(chance.choices(_WORDS, k=max(2, n + change)))
            for change in (0, chance.choice((-1, 0, 1)))
        ]
        for n in lengths
    ]
    lines = [f"{source}\t{target}\n" for source, target in pairs]
    (work / "pairs.tsv").write_text("".join(lines), encoding="utf-8")
    (work / "few.tsv").write_text("".join(lines[:4]), encoding="utf-8")
    for side, name in enumerate(("source", "target")):
        spaced = [" ".join(pair[side]) + "\n" for pair in pairs]
        (work / name).write_text("".join(spaced), encoding="utf-8")
    (work / "vocabulary").write_text("".join(f"{word}\t1\n" for word in _WORDS), encoding="utf-8")
    for precision in ("fp32", "auto"):
        text = _RECIPE.format(batch=_BATCH, precision=precision)
        (work / f"{precision}.toml").write_text(text, encoding="utf-8")
    return sum(len(target) + 1 for _, target in pairs)


def _epoch_seconds(bench: Bench, python: Path, precision: str, run: Path) -> float:
    """Of the second epoch, its batches and its evaluation included: the first one warms up."""
    command = [python, "-m", "training", "train", str(bench.work / f"{precision}.toml")]
    places = ["--data-dir", str(bench.work), "--run-dir", str(run)]
    subprocess.run(
        ["taskset", "--cpu-list", str(bench.core), *command, *places],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        check=True,
        capture_output=True,
    )
    events = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    first, second = (each["time"] for each in events if each["event"] == "evaluation")
    return max(second - first, 0.1)  # the log's clock has tenths


def _python() -> Path | None:
    """An interpreter that can train."""
    if find_spec("torch"):
        return Path(sys.executable)
    other = ROOT / ".venv-train" / "bin" / "python"
    return other if other.exists() else None
