"""Checkpoints bring back everything that the next step depends on, and survive a kill."""

import json
import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.training.tiny import VOCABULARY, architecture
from training.checkpoint import (
    CheckpointError,
    Progress,
    load_training,
    load_weights,
    recover,
    save_training,
    save_weights,
)
from training.config import OptimConfig
from training.models import Seq2Seq, make_model
from training.optim import MovingAverage, make_optimizer

RECIPE = "a" * 64


class Run:
    """A model with its average and optimiser, as a trainer holds them."""

    def __init__(self, seed: int, *, tied: bool = True) -> None:
        self.model = make_model(architecture(tied_embeddings=tied), VOCABULARY, seed)
        self.average = MovingAverage(self.model, 0.9)
        self.optimizer = make_optimizer(self.model, OptimConfig())

    def step(self) -> None:
        batch = (torch.randint(4, VOCABULARY, (3, 5)), torch.tensor([5] * 3))
        loss = self.model(*batch, torch.randint(4, VOCABULARY, (3, 4))).square().sum()
        loss.backward()  # dropout draws random numbers here
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.average.update(self.model, 20)

    def save(self, path: Path, progress: Progress) -> None:
        save_training(path, self.model, self.average.model, self.optimizer, progress)

    def load(self, path: Path, recipe: str = RECIPE) -> Progress | None:
        return load_training(path, self.model, self.average.model, self.optimizer, recipe)


def progress(**changes: object) -> Progress:
    return Progress(**{"recipe_sha256": RECIPE, **changes})  # type: ignore[arg-type]  # fields of Progress


def differing(one: Seq2Seq, other: Seq2Seq) -> list[str]:
    others = other.state_dict()
    return [
        name for name, value in one.state_dict().items() if not torch.equal(value, others[name])
    ]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "last"


@pytest.mark.parametrize("tied", [True, False])
def test_the_next_step_is_the_one_that_would_have_been(path: Path, tied: bool) -> None:
    run = Run(1, tied=tied)
    run.step()
    run.save(path, progress())
    run.step()
    other = Run(2, tied=tied)
    torch.manual_seed(99)
    other.load(path)
    other.step()

    assert [] == differing(run.model, other.model)
    assert [] == differing(run.average.model, other.average.model)


def test_moments_find_their_parameter_in_whatever_order_layers_are_made(path: Path) -> None:
    run, other = Run(1), Run(2)
    run.step()
    run.save(path, progress())
    turn_round(other.model)
    other.optimizer = make_optimizer(other.model, OptimConfig())
    other.load(path)

    assert list(moments(run)) != list(moments(other))
    for name, moment in moments(other).items():
        assert torch.equal(moments(run)[name], moment)


def test_moments_that_fit_no_parameter_are_refused(path: Path) -> None:
    run = Run(1)
    run.step()
    run.save(path, progress())
    stored = load_file(path / "optimizer.safetensors")
    name = next(key for key, value in stored.items() if value.ndim == 2)
    save_file({**stored, name: stored[name][:-1].clone()}, path / "optimizer.safetensors")

    with pytest.raises(CheckpointError, match=r"damaged: optimizer: exp_avg.* of .* has shape"):
        Run(1).load(path)


def moments(run: Run) -> dict[str, torch.Tensor]:
    """The first moment of every parameter, in the order of the layers."""
    named = run.model.named_parameters(remove_duplicate=False)
    known = run.optimizer.state  # nothing of what the loss does not depend on
    return {name: known[parameter]["exp_avg"] for name, parameter in named if known[parameter]}


def turn_round(model: Seq2Seq) -> None:
    """The same model, as if it had made its decoder before its encoder."""
    encoder = model.encoder
    del model.encoder
    model.encoder = encoder


def test_where_the_run_stood_comes_back(path: Path) -> None:
    wanted = progress(
        epoch=2,
        batch=7,
        step=99,
        seconds=1 / 3,
        best_score=45.1,
        best_step=60,
        history=[{"a": 0.1}],
    )
    Run(1).save(path, wanted)

    assert wanted == Run(1).load(path)


def test_a_run_without_a_score_yet_comes_back(path: Path) -> None:
    Run(1).save(path, progress())
    loaded = Run(1).load(path)

    assert loaded is not None
    assert loaded.best_score is None


def test_a_new_run_has_nothing_to_go_on_from(path: Path) -> None:
    assert Run(1).load(path) is None


def test_tied_weights_are_stored_once_and_stay_tied(path: Path) -> None:
    Run(1).save(path, progress())
    run = Run(2)
    run.load(path)

    assert run.model.output.weight is run.model.encoder.embedding.weight
    assert (path / "model.safetensors").stat().st_size < 4 * 1.5 * sum(
        parameter.numel() for parameter in run.model.parameters()
    )


def test_a_checkpoint_of_another_recipe_is_refused_with_what_to_do(path: Path) -> None:
    Run(1).save(path, progress())

    with pytest.raises(CheckpointError, match=r"another recipe .*aaaaaaaaaaaa.*--run-dir"):
        Run(1).load(path, "b" * 64)


def test_nothing_in_a_checkpoint_is_pickled(path: Path) -> None:
    run = Run(1)
    run.step()
    run.save(path, progress())
    save_weights(path.with_name("best"), run.model, {"minutes": 1.0})
    files = [*path.iterdir(), *path.with_name("best").iterdir()]

    assert {".safetensors", ".json"} == {file.suffix for file in files}
    for file in files:
        head = file.read_bytes()
        if file.suffix == ".safetensors":  # eight bytes of length, then that much JSON
            json.loads(head[8 : 8 + int.from_bytes(head[:8], "little")])
        else:
            json.loads(head)


@pytest.mark.parametrize(
    "file",
    ["model", "average", "optimizer", "random"],
)
@pytest.mark.parametrize("damage", ["missing", "cut short"])
def test_a_damaged_checkpoint_is_said_to_be_damaged(path: Path, file: str, damage: str) -> None:
    run = Run(1)
    run.step()
    run.save(path, progress())
    target = path / f"{file}.safetensors"
    if damage == "missing":
        target.unlink()
    else:
        target.write_bytes(target.read_bytes()[:50])

    with pytest.raises(CheckpointError, match="last: damaged: "):
        Run(1).load(path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"optimizer": [], "recipe_sha256": 3}'])
def test_progress_that_is_none_is_said_to_be_damaged(path: Path, text: str) -> None:
    Run(1).save(path, progress())
    (path / "progress.json").write_text(text)

    with pytest.raises(CheckpointError, match="damaged"):
        Run(1).load(path)


def test_weights_of_another_architecture_are_refused(tmp_path: Path) -> None:
    save_weights(tmp_path / "best", Run(1, tied=True).model, {})

    with pytest.raises(CheckpointError, match="best: no usable weights"):
        load_weights(tmp_path / "best", Run(1, tied=False).model)


def test_weights_come_back_with_what_is_known_of_them(tmp_path: Path) -> None:
    saved, loaded = Run(1).model, Run(2).model
    save_weights(tmp_path / "best", saved, {"bleu": 46.5, "minutes": 12.0})

    assert {"bleu": 46.5, "minutes": 12.0} == load_weights(tmp_path / "best", loaded)
    assert [] == differing(saved, loaded)


# --- kills --------------------------------------------------------------------------------------


def test_a_kill_while_writing_leaves_the_checkpoint_before_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Run(1).save(path, progress(step=1))

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("training.checkpoint.save_file", killed)
    with pytest.raises(KeyboardInterrupt):
        Run(1).save(path, progress(step=2))
    recover(path)
    loaded = Run(1).load(path)

    assert loaded is not None
    assert 1 == loaded.step


@pytest.mark.parametrize("renames", [0, 1, 2])
def test_a_kill_between_the_renames_loses_no_more_than_one_checkpoint(
    path: Path, monkeypatch: pytest.MonkeyPatch, renames: int
) -> None:
    Run(1).save(path, progress(step=1))
    rename = Path.rename
    done: list[Path] = []

    def counted(self: Path, target: Path) -> Path:
        if len(done) == renames:
            raise KeyboardInterrupt
        done.append(target)
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", counted)
        if renames < 2:
            with pytest.raises(KeyboardInterrupt):
                Run(1).save(path, progress(step=2))
        else:
            Run(1).save(path, progress(step=2))
    recover(path)
    loaded = Run(1).load(path)

    assert loaded is not None
    assert (2 if renames == 2 else 1) == loaded.step


def test_a_checkpoint_after_a_kill_replaces_what_was_left_behind(path: Path) -> None:
    (path.parent / ".last.partial").mkdir()
    (path.parent / ".last.partial" / "rubbish").touch()
    (path.parent / ".last.old").mkdir()
    Run(1).save(path, progress(step=3))

    assert ["last"] == [entry.name for entry in path.parent.iterdir()]
    assert "rubbish" not in {entry.name for entry in path.iterdir()}


def test_recovering_what_is_whole_changes_nothing(path: Path) -> None:
    Run(1).save(path, progress(step=3))
    before = sorted(path.parent.rglob("*"))
    recover(path)

    assert before == sorted(path.parent.rglob("*"))


def test_a_score_that_is_no_number_can_be_gone_on_from(path: Path) -> None:
    Run(1).save(path, progress(best_score=math.nan))
    loaded = Run(1).load(path)

    assert loaded is not None
    assert math.isnan(loaded.best_score or 0)
