"""A run in pieces is the run in one piece; it ends when it should and leaves its best behind."""

import json
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest
import torch

from tests.training.running import BATCHES, EPOCHS, Runs, recipe
from tests.training.tiny import VOCABULARY
from training.checkpoint import CheckpointError, load_weights
from training.models import Seq2Seq, make_model
from training.trainer import Diverged, Interrupted


def stop_at(evaluation: int, number: int = signal.SIGTERM) -> Callable[[int], float]:
    """A score that sends this process a signal when it is asked for the n-th time."""

    def score(asked: int) -> float:
        if asked == evaluation:
            os.kill(os.getpid(), number)
        return float(asked)

    return score


def falling(score: Callable[[int], float]) -> Callable[[int], float]:
    return lambda asked: -score(asked)


def test_the_corpus_is_what_these_tests_think(runs: Runs) -> None:
    assert EPOCHS * BATCHES == runs.train("one").step


# --- exact resume -------------------------------------------------------------------------------


def test_two_runs_of_one_recipe_are_the_same_run(runs: Runs) -> None:
    runs.train("one")
    runs.train("two")

    assert runs.tensors("one") == runs.tensors("two")


@pytest.mark.parametrize("stopped", [1, 3, 4, 7, 11])
def test_a_run_in_two_pieces_ends_bit_for_bit_where_a_run_in_one_piece_does(
    runs: Runs, stopped: int
) -> None:
    """Weights, average, optimiser and random state; stopped within an epoch and at its end."""
    often = {"evaluations_per_epoch": 4}
    whole = runs.train("one", training=often)
    runs.evaluations = 0
    with pytest.raises(Interrupted):
        runs.train("two", stop_at(stopped), training=often)
    rest = runs.train("two", training=often)

    assert runs.tensors("one") == runs.tensors("two")
    assert (whole.step, whole.best_step) == (rest.step, rest.best_step)
    assert 4 * EPOCHS == runs.evaluations  # it went on: no step was taken twice


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_run_may_be_stopped_again_and_again(runs: Runs, cell: str) -> None:
    often = {"evaluations_per_epoch": 8}
    runs.train("one", training=often, model={"cell": cell})
    runs.evaluations = 0
    for stopped in (2, 3, 9, 17):
        with pytest.raises(Interrupted):
            runs.train("two", stop_at(stopped), training=often, model={"cell": cell})
    runs.train("two", training=often, model={"cell": cell})

    assert runs.tensors("one") == runs.tensors("two")


def test_growing_noise_is_remembered_over_a_stop(runs: Runs) -> None:
    growing = {"curriculum_epochs": 2, "evaluations_per_epoch": 4}
    runs.train("one", training=growing)
    runs.evaluations = 0
    for stopped in (2, 4, 7):
        with pytest.raises(Interrupted):
            runs.train("two", stop_at(stopped), training=growing)
    runs.train("two", training=growing)

    assert runs.tensors("one") == runs.tensors("two")


def test_a_run_that_died_goes_on_from_its_last_checkpoint(runs: Runs) -> None:
    """No signal, no warning: what was not written is done again, with the same outcome."""
    always = {"checkpoint_minutes": 0.0}

    def dying(asked: int) -> float:
        if asked == 2:
            raise MemoryError
        return float(asked)

    with pytest.raises(MemoryError):
        runs.train("one", dying, training=always)
    stopped_at = json.loads((runs.root / "one/checkpoints/last/progress.json").read_text())["step"]
    runs.evaluations = 1  # of which the checkpoint knows
    runs.train("one", training=always)
    runs.evaluations = 0
    runs.train("two", training=always)

    assert 2 * BATCHES - 1 == stopped_at
    assert runs.tensors("one") == runs.tensors("two")


def test_a_run_that_has_ended_has_nothing_left_to_do(runs: Runs) -> None:
    first = runs.train("one")
    before = runs.tensors("one")
    again = runs.train("one")

    assert first == again
    assert before == runs.tensors("one")


def test_a_run_of_another_recipe_is_refused(runs: Runs) -> None:
    runs.train("one")

    with pytest.raises(CheckpointError, match="another recipe"):
        runs.train("one", sha256="b" * 64)


def test_a_run_killed_between_two_renames_goes_on(runs: Runs) -> None:
    with pytest.raises(Interrupted):
        runs.train("one", stop_at(1))
    checkpoints = runs.root / "one" / "checkpoints"
    (checkpoints / "last").rename(checkpoints / ".last.old")
    stopped_at = json.loads((checkpoints / ".last.old" / "progress.json").read_text())["step"]

    assert stopped_at == BATCHES
    runs.train("one")
    assert EPOCHS == runs.evaluations  # it did not begin afresh
    runs.train("two")
    assert runs.tensors("one") == runs.tensors("two")


def test_the_state_of_a_plateau_is_remembered_over_a_stop(runs: Runs) -> None:
    plateau = {
        "training": {"evaluations_per_epoch": 4, "keep_best": 2, "average_best": 2},
        "optim": {"schedule": "plateau", "plateau_patience": 2},
    }
    whole = runs.train("one", lambda asked: -asked, **plateau)
    runs.evaluations = 0
    for stopped in (2, 3):
        with pytest.raises(Interrupted):
            runs.train("two", falling(stop_at(stopped)), **plateau)
    rest = runs.train("two", lambda asked: -asked, **plateau)

    assert runs.tensors("one") == runs.tensors("two")
    assert (whole.reductions, whole.history[-1]["bleu"]) == (
        rest.reductions,
        rest.history[-1]["bleu"],
    )


# --- signals ------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_writes_a_checkpoint_and_says_how_to_go_on(runs: Runs, number: int) -> None:
    with pytest.raises(Interrupted, match="stopped at step 8; the same command goes on"):
        runs.train("one", stop_at(1, number))

    progress = json.loads((runs.root / "one/checkpoints/last/progress.json").read_text())
    assert (8, 1) == (progress["step"], len(progress["history"]))


def test_signals_are_handed_back_when_the_training_ends(runs: Runs) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(Interrupted):
        runs.train("one", stop_at(1))

    assert before == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]


# --- the end ------------------------------------------------------------------------------------


def test_training_ends_when_the_score_has_stopped_rising(runs: Runs) -> None:
    scores = [1.0, 3.0, 2.0, 3.0, 1.0]
    progress = runs.train(
        "one", lambda asked: scores[asked - 1], training={"epochs": 50, "patience": 3}
    )

    assert (5 * BATCHES, 2 * BATCHES, 3.0) == (
        progress.step,
        progress.best_step,
        progress.best_score,
    )


def test_of_an_error_rate_lower_is_better(runs: Runs) -> None:
    scores = [50.0, 20.0, 30.0, 20.0, 40.0]
    progress = runs.train(
        "one",
        lambda asked: scores[asked - 1],
        training={"epochs": 50, "patience": 3},
        evaluation={"metric": "wer"},
    )

    assert (5 * BATCHES, 2 * BATCHES, 20.0) == (
        progress.step,
        progress.best_step,
        progress.best_score,
    )


def test_patience_is_remembered_over_a_stop(runs: Runs) -> None:
    patience = {"epochs": 50, "patience": 3}
    with pytest.raises(Interrupted):
        runs.train("one", falling(stop_at(3)), training=patience)
    progress = runs.train("one", lambda asked: -asked, training=patience)

    assert 4 * BATCHES == progress.step


def test_training_ends_with_its_budget_and_is_scored_there(runs: Runs) -> None:
    progress = runs.train("one", budget_minutes=1e-9)

    assert (1, 1) == (progress.step, progress.best_step)
    assert (runs.root / "one/checkpoints/best/model.safetensors").exists()


def test_a_training_shorter_than_its_first_evaluation_is_scored_at_its_end(runs: Runs) -> None:
    progress = runs.train("one", training={"epochs": 1, "evaluations_per_epoch": 1})

    assert [1.0] == [facts["bleu"] for facts in progress.history]


def test_the_set_is_scored_as_often_as_the_recipe_says(runs: Runs) -> None:
    progress = runs.train("one", training={"evaluations_per_epoch": 4})

    assert [step / 4 for step in range(1, 13)] == [facts["epoch"] for facts in progress.history]


# --- what is kept -------------------------------------------------------------------------------


def best(runs: Runs, name: str) -> tuple[Seq2Seq, dict[str, Any]]:
    model = make_model(recipe().model, VOCABULARY, seed=0)
    facts = load_weights(runs.root / name / "checkpoints" / "best", model)
    return model, facts


def test_the_best_weights_are_those_of_the_best_score(runs: Runs) -> None:
    short = {"epochs": 1}
    runs.train("short", training=short, optim={"schedule": "constant"})
    runs.train("long", lambda asked: -asked, optim={"schedule": "constant"})

    wanted, found = best(runs, "short")[0].state_dict(), best(runs, "long")[0].state_dict()
    assert [] == [name for name in wanted if not torch.equal(wanted[name], found[name])]


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_a_plateau_lowers_the_rate_after_evaluations_without_a_better_score(runs: Runs) -> None:
    scores = [1.0, 2.0, 0.5, 2.0, 0.5, 0.5, 3.0, 0.5, 0.5]  # two without a better one, three times
    progress = runs.train(
        "one",
        lambda asked: scores[asked - 1],
        training={"epochs": 9},
        optim={"schedule": "plateau", "plateau_patience": 2, "plateau_factor": 0.5},
    )

    assert 3 == progress.reductions


def test_the_average_is_what_is_kept(runs: Runs) -> None:
    runs.train("one")

    assert same(runs.weights("one", "last/average"), runs.weights("one", "best/model"))


def test_without_an_average_the_weights_themselves_are_kept(runs: Runs) -> None:
    runs.train("one", optim={"ema_decay": 0.0})

    assert same(runs.weights("one", "last/model"), runs.weights("one", "best/model"))


def test_beside_the_best_weights_stands_how_good_they_are(runs: Runs) -> None:
    runs.train("one", lambda asked: [10.0, 30.0, 20.0][asked - 1])
    facts = best(runs, "one")[1]

    assert (30.0, 2.0, 2 * BATCHES) == (facts["bleu"], facts["epoch"], facts["step"])


def test_the_log_has_a_line_of_json_for_every_evaluation(runs: Runs) -> None:
    runs.train("one")
    lines = [json.loads(line) for line in (runs.root / "one/log.jsonl").read_text().splitlines()]

    assert [1.0, 2.0, 3.0] == [line["bleu"] for line in lines if line["event"] == "evaluation"]


def test_the_log_of_a_run_in_pieces_is_one_log(runs: Runs) -> None:
    with pytest.raises(Interrupted):
        runs.train("one", stop_at(2))
    runs.train("one")
    lines = [json.loads(line) for line in (runs.root / "one/log.jsonl").read_text().splitlines()]

    assert [8, 16, 24] == [line["step"] for line in lines if line["event"] == "evaluation"]


def test_half_precision_trains_too(runs: Runs) -> None:
    progress = runs.train("one", training={"epochs": 1, "precision": "bf16"})
    model, _ = best(runs, "one")

    assert BATCHES == progress.step
    assert all(bool(p.isfinite().all()) for p in model.parameters())


def test_a_run_that_diverges_says_so_and_keeps_its_last_checkpoint(runs: Runs) -> None:
    with pytest.raises(Diverged, match="lower optim"):
        runs.train("one", optim={"rate": 3e38, "warmup_steps": 0})


def test_the_last_steps_are_scored_even_off_the_beat_of_evaluations(runs: Runs) -> None:
    progress = runs.train("one", training={"evaluations_per_epoch": 5})

    assert progress.step == progress.evaluated_step
