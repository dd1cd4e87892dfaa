"""Which weights of a run are kept: every evaluation offers some, the development set decides.

<run>/checkpoints/best/   the best so far
<run>/checkpoints/kept/   the n best, where a recipe asks for them (training.averaging)
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from training.averaging import KeptWeights, average_weights
from training.checkpoint import Progress, save_weights
from training.config import Recipe
from training.models import Seq2Seq
from training.parallel import Team

__all__ = ["Averaged", "Selection"]


class Averaged(NamedTuple):
    """What came of the mean of the best weights."""

    facts: dict[str, float]
    members: int
    taken: bool  # it scored better than each of them


class Selection:
    """Scores what it is offered, keeps the best, and counts in the run's progress how long nothing
    has been better: early stopping and the schedule ``plateau`` go by that.
    """

    def __init__(
        self, recipe: Recipe, checkpoints: Path, evaluate: Callable[[Seq2Seq], float], team: Team
    ) -> None:
        training = recipe.training
        self._config = recipe.evaluation
        self._metric = recipe.evaluation.metric
        self._patience = recipe.optim.plateau_patience
        self._best = checkpoints / "best"
        self._mean_of = training.average_best
        self._kept = KeptWeights(
            checkpoints / "kept", max(training.keep_best, training.average_best), self._config
        )
        self._evaluate = evaluate
        self._team = team

    def offer(self, model: Seq2Seq, progress: Progress, epochs: float) -> dict[str, float]:
        """Weights after so many epochs; their score, and when it was."""
        facts = self._score(model, progress, epochs)
        progress.history.append(facts)
        progress.evaluated_step = progress.step
        if self._take_if_best(model, progress, facts):
            progress.evaluations_since_best = progress.stale_evaluations = 0
        else:
            progress.evaluations_since_best += 1
            progress.stale_evaluations += 1
        if progress.stale_evaluations >= self._patience:
            progress.reductions, progress.stale_evaluations = progress.reductions + 1, 0
        if self._kept.most > 1 and self._team.first:
            self._kept.offer(model, {**facts, "step": progress.step})
        return facts

    def offer_mean(self, model: Seq2Seq, progress: Progress, epochs: float) -> Averaged:
        """The mean of the best weights that were kept, for which ``model`` is the vessel."""
        with self._team.first_alone():
            chosen = self._kept.best()[: self._mean_of]
        average_weights(model, [kept.path for kept in chosen])
        facts = self._score(model, progress, epochs)
        steps = [kept.step for kept in chosen]
        taken = self._take_if_best(model, progress, facts, averaged=steps)
        progress.averaged_step = progress.step
        return Averaged(facts, len(chosen), taken)

    def _score(self, model: Seq2Seq, progress: Progress, epochs: float) -> dict[str, float]:
        score = self._team.from_first(lambda: self._evaluate(model))
        return {"epoch": epochs, self._metric: score, "minutes": progress.seconds / 60}

    def _take_if_best(
        self, model: Seq2Seq, progress: Progress, facts: dict[str, float], **more: object
    ) -> bool:
        score = facts[self._metric]
        if progress.best_score is not None and self._config.gain(score, progress.best_score) <= 0:
            return False
        progress.best_score, progress.best_step = score, progress.step
        if self._team.first:
            save_weights(self._best, model, {**facts, "step": progress.step, **more})
        return True
