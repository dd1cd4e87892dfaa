"""The training loop: batches in, best weights out; it can be killed at any moment and goes on where
it was.

The position in the data, the optimiser, the moving average and the random state are all in the
checkpoint, so that a run in two pieces takes the same steps as a run in one.
"""

from __future__ import annotations

import copy
import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from service.bundle import SpecialIds
from training.checkpoint import (
    Progress,
    load_training,
    random_state,
    save_training,
)
from training.config import Recipe
from training.curriculum import strength
from training.data.batches import Batch, BatchSampler
from training.models import Seq2Seq
from training.objective import batch_loss
from training.optim import MovingAverage, Schedule, make_optimizer
from training.parallel import Team
from training.reporting import Reporter, Silence
from training.runtime import choose_device, choose_precision, seed_everything
from training.selection import Selection
from training.signals import collected_signals

__all__ = ["Diverged", "Interrupted", "Trainer", "TrainingPlan"]


class Diverged(RuntimeError):
    """The loss is no number any more; the weights were not touched by it."""


class Interrupted(RuntimeError):
    """The run was asked to stop; its checkpoint is complete and the same command goes on."""


@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """What a trainer is given."""

    recipe: Recipe
    recipe_sha256: str
    run_dir: Path
    special: SpecialIds
    sampler: BatchSampler
    evaluate: Callable[[Seq2Seq], float]  # the development score of a model
    budget_minutes: float | None = None


class Trainer:
    """Trains ``model`` by a plan. The weights that are evaluated and kept are the moving average's,
    where there is one.
    """

    def __init__(self, plan: TrainingPlan, model: Seq2Seq) -> None:
        self.plan = plan
        self.team = Team.current()
        self.device = choose_device()
        self.precision = choose_precision(plan.recipe.training, self.device)
        self.model = model.to(self.device)
        self.average = MovingAverage(self.model, plan.recipe.optim.ema_decay)
        self.optimizer = make_optimizer(self.model, plan.recipe.optim)
        self.schedule = Schedule(plan.recipe.optim)
        self.checkpoints = plan.run_dir / "checkpoints"
        self.selection = Selection(plan.recipe, self.checkpoints, plan.evaluate, self.team)
        self.batches_per_epoch = plan.sampler.batches_in(0)
        self.total_steps = self.batches_per_epoch * plan.recipe.training.epochs
        self.progress = Progress(recipe_sha256=plan.recipe_sha256)

    def train(self) -> Progress:
        """Train to the end of the recipe or the budget, or until the score has stopped rising.

        Returns:
            Where the run ended; the best weights are in ``<run>/checkpoints/best``.

        Raises:
            Diverged: the loss or its gradient is not finite.
        Interrupted: SIGINT or SIGTERM came; the checkpoint was written.
            CheckpointError: there is one, but it is damaged or of another recipe.
        """
        seed_everything(self.plan.recipe.seed)
        if not self.team.first:  # weights are equal already; dropout must not be
            torch.manual_seed(self.plan.recipe.seed + (self.team.rank << 32))
        with self.team.first_alone():
            known = load_training(
                self.checkpoints / "last",
                self.model,
                self.average.model,
                self.optimizer,
                self.plan.recipe_sha256,
                self.team.rank,
            )
        self.progress = known or self.progress
        with self._reporter() as reporter, collected_signals() as signals:
            if known:
                reporter.say(
                    f"going on from step {known.step} ({known.seconds / 60:.1f} minutes trained)"
                )
            self._loop(reporter, signals)
        return self.progress

    def _reporter(self) -> Reporter | Silence:
        if not self.team.first:
            return Silence()
        return Reporter(
            self.plan.run_dir, total_steps=self.total_steps, done_steps=self.progress.step
        )

    def _loop(self, reporter: Reporter | Silence, signals: list[int]) -> None:
        progress, every = self.progress, self._evaluation_interval()
        pause = 60 * self.plan.recipe.training.checkpoint_minutes
        saved = progress.seconds
        while not self._finished():
            self.model.regularise(
                strength(progress.epoch, self.plan.recipe.training.curriculum_epochs)
            )
            for batch in self.plan.sampler.epoch(progress.epoch, skip=progress.batch):
                started = time.monotonic()
                facts = self._step(batch)
                # One clock for all: budget and schedule are decided by it.
                elapsed = self.team.from_first(lambda since=started: time.monotonic() - since)  # type: ignore[misc]  # mypy infers no lambda with a default
                progress.seconds += elapsed
                progress.step += 1
                progress.batch += 1
                facts |= {
                    "tokens_per_second": batch.tokens / elapsed,
                    "epoch": self._epochs(),
                }
                reporter.step(progress.step, facts, remaining_seconds=self._remaining_seconds())
                if progress.step % every == 0 or self._out_of_budget():
                    self._evaluate(reporter)
                stopped = self.team.any(flag=bool(signals))
                if stopped or progress.seconds - saved > pause:
                    self._save()
                    saved = progress.seconds
                if stopped:
                    raise Interrupted(
                        f"stopped at step {progress.step}; the same command goes on from there"
                    )
                if self._finished():
                    break
            else:
                progress.epoch, progress.batch = progress.epoch + 1, 0
        if progress.evaluated_step < progress.step:
            self._evaluate(reporter)
        if self.plan.recipe.training.average_best > 1 and progress.averaged_step < progress.step:
            self._average_best(reporter)
        self._save()

    def _step(self, batch: Batch) -> dict[str, float]:
        """One optimiser step."""
        config, progress = self.plan.recipe.optim, self.progress
        rate = self.schedule.rate(progress.step, self._share_done(), progress.reductions)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        batch, weight = self.team.share(batch, self.plan.special.pad)
        batch = Batch(*(getattr(batch, f.name).to(self.device) for f in dataclasses.fields(batch)))
        self.model.train()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            loss, nll = batch_loss(
                self.model, batch, self.plan.special, smoothing=config.label_smoothing
            )
        (loss * weight).backward()
        losses = torch.stack([loss.detach(), nll]) * weight
        parameters = self.model.parameters()
        self.team.add_up([p.grad for p in parameters if p.grad is not None] + [losses])
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), config.clip_norm)
        mean_loss, mean_nll = losses.tolist()
        if not norm.isfinite():
            raise Diverged(
                f"step {progress.step}: the loss is {mean_loss}, its gradient {norm.item()}; "
                "lower optim.rate, or warm up longer; the last checkpoint is untouched"
            )
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.average.update(self.model, progress.step)
        return {"loss": mean_loss, "nll": mean_nll, "gradient_norm": norm.item(), "rate": rate}

    def _evaluate(self, reporter: Reporter | Silence) -> None:
        model = self.average.model if self.average.decay else self.model.eval()
        facts = self.selection.offer(model, self.progress, self._epochs())
        reporter.evaluation(self.progress.step, facts)

    def _average_best(self, reporter: Reporter | Silence) -> None:
        averaged = self.selection.offer_mean(
            copy.deepcopy(self.average.model), self.progress, self._epochs()
        )
        reporter.evaluation(self.progress.step, averaged.facts, event="average")
        reporter.say(
            f"the mean of the {averaged.members} best is "
            f"{'taken' if averaged.taken else 'no better: left out'}"
        )

    def _save(self) -> None:
        gathered = {name: self.team.gather(state) for name, state in random_state().items()}
        others = {
            f"{name}.{rank}": state
            for name, states in gathered.items()
            for rank, state in enumerate(states)
            if rank > 0
        }
        if self.team.first:
            save_training(
                self.checkpoints / "last",
                self.model,
                self.average.model,
                self.optimizer,
                self.progress,
                others,
            )

    def _epochs(self) -> float:
        return self.progress.step / self.batches_per_epoch

    def _evaluation_interval(self) -> int:
        return max(1, self.batches_per_epoch // self.plan.recipe.training.evaluations_per_epoch)

    def _share_done(self) -> float:
        """A budget shortens the schedule, so that the rate has come down when the time is over."""
        budget = self.plan.budget_minutes
        by_time = 0.0 if budget is None else self.progress.seconds / (60 * budget)
        return max(by_time, self.progress.step / self.total_steps)

    def _remaining_seconds(self) -> float:
        by_steps = (
            (self.total_steps - self.progress.step)
            * self.progress.seconds
            / max(self.progress.step, 1)
        )
        budget = self.plan.budget_minutes
        return by_steps if budget is None else min(by_steps, 60 * budget - self.progress.seconds)

    def _out_of_budget(self) -> bool:
        budget = self.plan.budget_minutes
        return budget is not None and self.progress.seconds >= 60 * budget

    def _finished(self) -> bool:
        progress = self.progress
        return (
            progress.step >= self.total_steps
            or self._out_of_budget()
            or progress.evaluations_since_best >= self.plan.recipe.training.patience
        )
