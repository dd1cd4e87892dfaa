"""Checkpoints: safetensors and JSON, never pickle. A run that was killed goes on bit by bit where
it was.

    <run>/checkpoints/last/   model, average and optimiser weights, random state, position in the
    data <run>/checkpoints/best/   the weights that scored best on the development set

A directory is written under another name and renamed when it is complete.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, load_model, save_file, save_model
from torch import nn

from service.bundle.schema import parse

__all__ = [
    "CheckpointError",
    "Progress",
    "load_training",
    "load_weights",
    "random_state",
    "save_training",
    "save_weights",
]


# What reading a file that is cut short, or was never one of ours, comes to.
_DAMAGE = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    RuntimeError,
    SafetensorError,
)


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be read or belongs to another recipe."""


@dataclass(kw_only=True)
class Progress:
    """Where a run stands."""

    recipe_sha256: str
    epoch: int = 0
    batch: int = 0  # batches of this epoch that are done
    step: int = 0
    seconds: float = 0.0  # of training, over all its pieces
    best_score: float | None = None
    best_step: int = 0
    evaluated_step: int = 0  # the last step whose weights were scored
    evaluations_since_best: int = 0
    stale_evaluations: int = 0  # since the best score or the last reduction of the rate
    reductions: int = 0  # of the rate, by the schedule ``plateau``
    averaged_step: int = 0  # the step at which the best weights were averaged
    history: list[dict[str, float]] = field(default_factory=list)


def save_weights(path: Path, model: nn.Module, facts: dict[str, Any]) -> None:
    """One set of weights with what is known of it."""
    staged = _stage(path)
    save_model(model, str(staged / "model.safetensors"))
    (staged / "facts.json").write_text(json.dumps(facts, indent=1))
    _publish(staged, path)


def load_weights(path: Path, model: nn.Module) -> dict[str, Any]:
    """Fill ``model`` from ``path`` and return what was noted beside the weights.

    Raises:
        CheckpointError: nothing is there, or it belongs to another architecture.
    """
    recover(path)
    try:
        load_model(model, str(path / "model.safetensors"))
        return dict(json.loads((path / "facts.json").read_text()))
    except _DAMAGE as error:
        raise CheckpointError(f"{path}: no usable weights: {error}") from None


def save_training(
    path: Path,
    model: nn.Module,
    average: nn.Module,
    optimizer: torch.optim.Optimizer,
    progress: Progress,
    others: Mapping[str, torch.Tensor] | None = None,
) -> None:
    """Everything that the next step depends on. ``others`` are random states of processes that
    train along, by the names that ``load_training`` looks for: ``cpu.1``, ``cuda.1``, ...
    """
    staged = _stage(path)
    save_model(model, str(staged / "model.safetensors"))
    save_model(average, str(staged / "average.safetensors"))
    moments, groups = _moments_by_name(optimizer, model)
    save_file(moments, str(staged / "optimizer.safetensors"))
    save_file({**random_state(), **(others or {})}, str(staged / "random.safetensors"))
    (staged / "progress.json").write_text(
        json.dumps({**asdict(progress), "optimizer": groups}, indent=1)
    )
    _publish(staged, path)


def load_training(
    path: Path,
    model: nn.Module,
    average: nn.Module,
    optimizer: torch.optim.Optimizer,
    recipe_sha256: str,
    rank: int = 0,
) -> Progress | None:
    """Put everything back, random state included (that of process ``rank``, where several train
    together, if there is one); None when there is nothing to go on from.

    Raises:
        CheckpointError: damaged, or made by another recipe.
    """
    recover(path)
    if not (path / "progress.json").exists():
        return None
    try:
        facts = json.loads((path / "progress.json").read_text())
        groups = facts.pop("optimizer")
        progress = parse(Progress, facts)
        if progress.recipe_sha256 != recipe_sha256:
            raise CheckpointError(
                f"{path}: made by another recipe (sha256 {progress.recipe_sha256[:12]}, now "
                f"{recipe_sha256[:12]}); choose another --run-dir, or delete it to start afresh"
            )
        load_model(model, str(path / "model.safetensors"))
        load_model(average, str(path / "average.safetensors"))
        moments = load_file(path / "optimizer.safetensors")
        _restore_moments(optimizer, model, moments, groups)
        random = load_file(path / "random.safetensors")
    except _DAMAGE as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(f"{path}: damaged: {error}") from None
    suffix = f".{rank}" if rank else ""
    if f"cpu{suffix}" in random:
        torch.set_rng_state(random[f"cpu{suffix}"])
    if f"cuda{suffix}" in random and torch.cuda.is_available():
        torch.cuda.set_rng_state(random[f"cuda{suffix}"])
    return progress


def random_state() -> dict[str, torch.Tensor]:
    """The state of torch's generators in this process, by device."""
    state = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def _moments_by_name(
    optimizer: torch.optim.Optimizer, model: nn.Module
) -> tuple[dict[str, torch.Tensor], Any]:
    """What the optimiser knows of each parameter, by the parameter's name: torch's own numbering
    changes with the order in which a model happens to make its layers.
    """
    names = [name for name, _ in model.named_parameters()]
    state = optimizer.state_dict()
    moments = {
        f"{names[index]}.{moment}": value.contiguous()
        for index, entry in state["state"].items()
        for moment, value in entry.items()
    }
    return moments, [
        {k: v for k, v in group.items() if k != "params"} for group in state["param_groups"]
    ]


def _restore_moments(
    optimizer: torch.optim.Optimizer,
    model: nn.Module,
    moments: dict[str, torch.Tensor],
    groups: Any,
) -> None:
    """Raises ValueError where a moment fits no parameter: a fused step would write past its end."""
    parameters = dict(model.named_parameters(remove_duplicate=False))  # a shared one: all its names
    places = {parameter: place for place, parameter in enumerate(model.parameters())}
    entries: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in moments.items():
        name, moment = key.rsplit(".", 1)
        if name not in parameters:
            raise ValueError(f"optimizer: {name} is no parameter of this model")
        if value.ndim and value.shape != parameters[name].shape:
            raise ValueError(
                f"optimizer: {moment} of {name} has shape {list(value.shape)}, "
                f"the parameter {list(parameters[name].shape)}"
            )
        entries.setdefault(places[parameters[name]], {})[moment] = value
    state = optimizer.state_dict()
    merged = [
        {**group, "params": known["params"]}
        for group, known in zip(groups, state["param_groups"], strict=True)
    ]
    optimizer.load_state_dict({"state": entries, "param_groups": merged})


def _stage(path: Path) -> Path:
    staged = path.with_name(f".{path.name}.partial")
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir(parents=True)
    return staged


def _publish(staged: Path, path: Path) -> None:
    """Between the two renames a kill leaves ``.old``, which ``recover`` puts back."""
    old = path.with_name(f".{path.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if path.exists():
        path.rename(old)
    staged.rename(path)
    shutil.rmtree(old, ignore_errors=True)


def recover(path: Path) -> None:
    """Undo a replacement of ``path`` that a kill interrupted."""
    old = path.with_name(f".{path.name}.old")
    if not path.exists() and old.exists():
        old.rename(path)
