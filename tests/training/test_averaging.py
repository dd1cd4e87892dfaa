"""The best weights of a run stay, and their mean may be better than each."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from tests.training.running import BATCHES, Runs
from tests.training.tiny import DATES, write_recipe
from training import stages
from training.averaging import KeptWeights, average_weights
from training.checkpoint import CheckpointError, save_weights
from training.config import EvaluationConfig
from training.preparation import Prepared, prepare


def constant(value: float) -> nn.Linear:
    model = nn.Linear(2, 2)
    for parameter in model.parameters():
        nn.init.constant_(parameter, value)
    return model


def offer(kept: KeptWeights, *scores: float) -> None:
    """One evaluation a step, from step 1."""
    for step, score in enumerate(scores, 1):
        kept.offer(constant(step), {"step": step, "bleu": score})


@pytest.fixture
def kept(tmp_path: Path) -> KeptWeights:
    return KeptWeights(tmp_path / "kept", 3, EvaluationConfig(metric="bleu"))


def test_the_best_evaluations_stay_the_best_first(kept: KeptWeights) -> None:
    offer(kept, 1.0, 5.0, 2.0, 4.0, 3.0)

    assert [(2, 5.0), (4, 4.0), (5, 3.0)] == [(k.step, k.score) for k in kept.best()]


def test_of_an_error_rate_the_lowest_stay(tmp_path: Path) -> None:
    kept = KeptWeights(tmp_path / "kept", 2, EvaluationConfig(metric="wer"))
    for step, score in enumerate((9.0, 5.0, 7.0, 5.0), 1):
        kept.offer(constant(step), {"step": step, "wer": score})

    assert [(2, 5.0), (4, 5.0)] == [(k.step, k.score) for k in kept.best()]


def test_of_equal_evaluations_the_earlier_stays(kept: KeptWeights) -> None:
    offer(kept, 2.0, 2.0, 2.0, 2.0)

    assert [1, 2, 3] == [k.step for k in kept.best()]


def test_only_what_is_kept_takes_room(kept: KeptWeights, tmp_path: Path) -> None:
    offer(kept, 1.0, 5.0, 2.0, 4.0, 3.0)

    assert 3 == len(list((tmp_path / "kept").iterdir()))


def test_offering_again_after_a_crash_changes_nothing(kept: KeptWeights) -> None:
    offer(kept, 1.0, 5.0, 2.0, 4.0, 3.0)
    before = kept.best()
    offer(kept, 1.0, 5.0, 2.0, 4.0, 3.0)

    assert before == kept.best()


def test_a_damaged_entry_is_named(kept: KeptWeights, tmp_path: Path) -> None:
    offer(kept, 1.0)
    (tmp_path / "kept" / "step-00000001" / "facts.json").write_text("{")

    with pytest.raises(CheckpointError, match="step-00000001"):
        kept.best()


def test_the_average_is_the_mean_of_each_weight(kept: KeptWeights) -> None:
    offer(kept, 1.0, 1.0, 1.0)
    model = constant(0.0)
    average_weights(model, [k.path for k in kept.best()[:2]])

    assert {1.5} == {x for p in model.parameters() for x in p.flatten().tolist()}


def test_a_matrix_that_is_shared_stays_shared(tmp_path: Path) -> None:
    def tied(value: float) -> nn.Sequential:
        one, two = constant(value), constant(value)
        two.weight = one.weight
        return nn.Sequential(one, two)

    for name, value in (("a", 1.0), ("b", 4.0)):
        save_weights(tmp_path / name, tied(value), {})
    model = tied(0.0)
    average_weights(model, [tmp_path / "a", tmp_path / "b"])

    assert model[0].weight is model[1].weight
    assert torch.equal(torch.full((2, 2), 2.5), model[0].weight)


def test_weights_of_another_architecture_are_refused(tmp_path: Path) -> None:
    save_weights(tmp_path / "a", nn.Linear(3, 3), {})

    with pytest.raises(CheckpointError, match="no usable weights"):
        average_weights(constant(0.0), [tmp_path / "a"])


# --- at the end of a run ------------------------------------------------------------------------

MEAN = {"training": {"average_best": 2}, "optim": {"ema_decay": 0.0}}


def mean_of_kept(runs: Runs) -> dict[str, torch.Tensor]:
    parts = [
        load_file(path / "model.safetensors")
        for path in sorted((runs.root / "one/checkpoints/kept").iterdir())
    ]
    return {
        name: torch.stack([part[name] for part in parts]).double().mean(0).float()
        for name in parts[0]
    }


def test_an_average_that_scores_better_becomes_the_best(runs: Runs) -> None:
    progress = runs.train("one", lambda asked: [3.0, 1.0, 2.0, 9.0][asked - 1], **MEAN)
    found = runs.weights("one", "best/model")

    assert 9.0 == progress.best_score
    for name, wanted in mean_of_kept(runs).items():
        torch.testing.assert_close(wanted, found[name], rtol=0, atol=1e-7)


def test_it_says_of_which_steps_it_is_the_mean(runs: Runs) -> None:
    runs.train("one", lambda asked: [3.0, 1.0, 2.0, 9.0][asked - 1], **MEAN)
    facts = json.loads((runs.root / "one/checkpoints/best/facts.json").read_text())

    assert [BATCHES, 3 * BATCHES] == facts["averaged"]


def test_an_average_that_is_no_better_is_left_out(runs: Runs) -> None:
    progress = runs.train("one", lambda asked: [3.0, 1.0, 2.0, 3.0][asked - 1], **MEAN)

    assert (3.0, BATCHES) == (progress.best_score, progress.best_step)


def test_an_average_is_made_once(runs: Runs) -> None:
    runs.train("one", **MEAN)
    asked = runs.evaluations
    runs.train("one", **MEAN)

    assert 3 + 1 == asked == runs.evaluations


def test_without_being_asked_for_nothing_more_is_kept(runs: Runs) -> None:
    runs.train("one")

    assert {"best", "last"} == {p.name for p in (runs.root / "one/checkpoints").iterdir()}


# --- the stage ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """A run that kept three evaluations."""
    directory = tmp_path_factory.mktemp("averaging")
    recipe = write_recipe(
        directory,
        DATES,
        ("epochs = 1", "epochs = 1\nevaluations_per_epoch = 3\nkeep_best = 3"),
    )
    prepared = prepare(recipe, directory, directory / "run")
    stages.train(prepared, None)
    return prepared


def test_the_stage_takes_the_mean_only_if_it_scores_better(ended: Prepared) -> None:
    before = stages.evaluate(ended).value
    result = stages.average(ended, None)

    assert before == result.before
    assert 3 == len(result.steps)
    assert max(before, result.score.value) == stages.evaluate(ended).value


def test_the_stage_averages_as_many_as_it_is_told(ended: Prepared) -> None:
    assert 2 == len(stages.average(ended, 2).steps)


def test_one_evaluation_is_nothing_to_average(ended: Prepared) -> None:
    with pytest.raises(CheckpointError, match="nothing to average"):
        stages.average(ended, 1)
