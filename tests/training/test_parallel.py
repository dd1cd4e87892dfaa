"""Two processes train as one does, and together go on where they were."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import distributed

from tests.training.running import BATCHES, Runs
from tests.training.tiny import DATES, write_recipe
from training import stages
from training.data.batches import Batch
from training.parallel import Team
from training.preparation import prepare
from training.trainer import Interrupted

ROOT = Path(__file__).resolve().parents[2]
FORK = multiprocessing.get_context("fork")
STILL = dict.fromkeys(("dropout", "output_dropout", "word_dropout", "source_word_dropout"), 0.0)


def process(root: Path, rank: int, name: str, stop: int, sections: dict[str, Any]) -> None:
    """One of two processes; the second one is asked to stop at an evaluation, unless at 0."""
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    store = f"file://{root}/{name}.store"
    distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=2)
    runs = Runs(root)
    if stop and rank == 1:
        evaluate = Team.from_first

        def stopping(team: Team, make: Any) -> float:
            value = evaluate(team, make)
            if value == stop:  # the score of that evaluation
                os.kill(os.getpid(), signal.SIGTERM)
            return value

        Team.from_first = stopping  # type: ignore[method-assign]  # this process ends with it
    try:
        runs.train(name, **sections)
    except Interrupted:
        distributed.destroy_process_group()
        os._exit(3)
    distributed.destroy_process_group()
    os._exit(0)  # nothing of pytest's own may run here


def together(root: Path, name: str, *, stop: int = 0, **sections: dict[str, Any]) -> list[int]:
    """The exit codes of two processes that train."""
    (root / f"{name}.store").unlink(missing_ok=True)
    pair = [
        FORK.Process(target=process, args=(root, rank, name, stop, sections)) for rank in (0, 1)
    ]
    for each in pair:
        each.start()
    for each in pair:
        each.join(60)
    codes = [each.exitcode for each in pair]
    for each in pair:
        each.kill()
    return [-1 if code is None else code for code in codes]


def batch(rows: int) -> Batch:
    out_BT = torch.full((rows, 3), 7)
    out_BT[0, 1:] = 0  # padding
    return Batch(out_BT, torch.arange(rows), out_BT, out_BT)


# --- the parts ----------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_shares_make_up_the_batch(rows: int) -> None:
    whole = batch(rows)
    shares = [Team(rank, 3).share(whole, 0) for rank in range(3)]
    taken = sorted(n for part, weight in shares if weight for n in part.source_lengths_B.tolist())

    assert list(range(rows)) == taken
    assert 1.0 == pytest.approx(sum(weight for _, weight in shares))


def test_a_share_weighs_what_its_tokens_are_of_the_batch() -> None:
    (_, one), (_, two) = (Team(rank, 2).share(batch(2), 0) for rank in range(2))

    assert (1 / 4, 3 / 4) == (one, two)


def test_alone_nothing_is_shared() -> None:
    whole = batch(3)

    assert (whole, 1.0) == Team().share(whole, 0)
    assert 4.0 == Team().from_first(lambda: 4.0)
    assert Team().any(flag=True)


# --- two processes ------------------------------------------------------------------------------


def test_two_processes_take_the_steps_of_one(runs: Runs) -> None:
    """But for the order in which floats are added; dropout is drawn by each process."""
    short = {"epochs": 2}
    runs.train("one", model=STILL, training=short)

    assert [0, 0] == together(runs.root, "two", model=STILL, training=short)
    for part in ("last/model", "last/average", "best/model"):
        one, two = runs.weights("one", part), runs.weights("two", part)
        for name, wanted in one.items():
            torch.testing.assert_close(wanted, two[name], rtol=0, atol=2e-5)


def test_two_processes_go_on_bit_for_bit_where_they_were_stopped(runs: Runs) -> None:
    """Also their dropout, of which each has its own; the signal reaches only one of them."""
    often = {"evaluations_per_epoch": 4, "epochs": 1}
    whole = together(runs.root, "whole", training=often)
    cut = together(runs.root, "cut", stop=3, training=often)
    rest = together(runs.root, "cut", training=often)

    assert ([0, 0], [3, 3], [0, 0]) == (whole, cut, rest)
    assert runs.tensors("whole") == runs.tensors("cut")
    progress = json.loads((runs.root / "cut/checkpoints/last/progress.json").read_text())
    assert BATCHES == progress["step"]


def test_the_dropout_of_two_processes_is_not_the_same(runs: Runs) -> None:
    together(runs.root, "two", training={"epochs": 1})
    random = runs.weights("two", "last/random")

    assert {"cpu", "cpu.1"} == set(random)
    assert not torch.equal(random["cpu"], random["cpu.1"])


def test_torchrun_trains_the_recipe_as_one_process_does(tmp_path: Path) -> None:
    recipe = write_recipe(
        tmp_path,
        DATES,
        ("[model]", "[model]\ndropout = 0.0\noutput_dropout = 0.0"),
    )

    stages.train(prepare(recipe, tmp_path, tmp_path / "one"), None)
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = ["-m", "training", "train", str(recipe), "--run-dir", str(tmp_path / "two")]
    quiet = {"CUDA_VISIBLE_DEVICES": "", "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *torchrun, *command],
        cwd=ROOT,
        env={**os.environ, **quiet},
        check=False,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    one, two = (
        [json.loads(line) for line in (tmp_path / run / "log.jsonl").read_text().splitlines()]
        for run in ("one", "two")
    )

    assert [line["step"] for line in one] == [line["step"] for line in two]
    losses = [[line["loss"] for line in run if line["event"] == "step"] for run in (one, two)]
    assert len(losses[0]) > 0
    assert losses[0] == pytest.approx(losses[1], abs=2e-5)
