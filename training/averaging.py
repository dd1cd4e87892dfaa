"""The weights of several evaluations: kept while a run goes on, averaged when it has ended.

<run>/checkpoints/kept/step-00001082/   one of the n best evaluations, with its facts
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from training.checkpoint import CheckpointError, load_weights, save_weights
from training.config import EvaluationConfig

__all__ = ["Kept", "KeptWeights", "average_weights"]


class Kept(NamedTuple):
    """One set of weights that was kept."""

    path: Path
    step: int
    score: float


class KeptWeights:
    """The ``most`` best evaluations of a run, on disk; an earlier one wins over an equal later one.

    What is kept depends only on what was offered, so that offering again after a crash is harmless.
    """

    def __init__(self, directory: Path, most: int, config: EvaluationConfig) -> None:
        self._directory = directory
        self.most = most
        self._metric = config.metric
        self._sign = 1 if config.lower_is_better else -1

    def offer(self, model: nn.Module, facts: dict[str, Any]) -> None:
        """Keep these weights if they are among the best; ``facts`` tell step and score."""
        step, score = int(facts["step"]), float(facts[self._metric])
        path = self._directory / f"step-{step:08d}"
        others = [kept for kept in self.best() if kept.step != step]
        ranked = self._ranked([*others, Kept(path, step, score)])
        if path in {kept.path for kept in ranked[: self.most]}:
            save_weights(path, model, facts)
        for kept in ranked[self.most :]:
            shutil.rmtree(kept.path, ignore_errors=True)

    def best(self) -> list[Kept]:
        """What is kept, the best first.

        Raises:
            CheckpointError: something there is not what ``offer`` wrote.
        """
        found = []
        for path in self._directory.glob("step-*"):
            try:
                facts = json.loads((path / "facts.json").read_text())
                found.append(Kept(path, int(facts["step"]), float(facts[self._metric])))
            except (OSError, ValueError, LookupError, TypeError) as error:
                raise CheckpointError(f"{path}: no usable weights: {error}") from None
        return self._ranked(found)

    def _ranked(self, found: list[Kept]) -> list[Kept]:
        return sorted(found, key=lambda kept: (self._sign * kept.score, kept.step))


def average_weights(model: nn.Module, paths: Sequence[Path]) -> None:
    """Fill ``model`` with the mean of the weights at ``paths`` (Vaswani et al. 2017, section 6.1).

    Raises:
        CheckpointError: one of them is missing, or of another architecture.
    """
    total: dict[str, torch.Tensor] = {}
    for path in paths:
        load_weights(path, model)
        for name, value in model.state_dict().items():
            total[name] = total.get(name, 0) + value.double()
    model.load_state_dict({name: value / len(paths) for name, value in total.items()})
