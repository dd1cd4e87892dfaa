"""How a model is trained: batches, the optimiser and its schedule, and for how long."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

__all__ = ["BatchConfig", "OptimConfig", "TrainingConfig"]


@dataclass(frozen=True, kw_only=True)
class BatchConfig:
    """A batch holds sentences of about one length, up to ``target_tokens`` padded target tokens."""

    target_tokens: int = 1600
    max_sentences: int = 512

    def validate(self) -> Iterator[str]:
        if self.target_tokens < 1 or self.max_sentences < 1:
            yield "target_tokens and max_sentences must be at least 1"


@dataclass(frozen=True, kw_only=True)
class OptimConfig:
    """Adam; the rate rises linearly over ``warmup_steps`` and then falls to ``final_rate`` by the
    schedule: ``linear`` and ``cosine`` over the epochs or the budget, ``inverse_sqrt`` by the step,
    ``plateau`` whenever the development score has stopped rising.
    """

    rate: float = 1e-3
    final_rate: float = 2e-5
    warmup_steps: int = 400
    schedule: Literal["constant", "linear", "cosine", "inverse_sqrt", "plateau"] = "cosine"
    plateau_factor: float = 0.5  # ``plateau``: what is left of the rate after so many evaluations
    plateau_patience: int = 2  # without a better score
    betas: tuple[float, ...] = (0.9, 0.98)
    clip_norm: float = 1.0
    label_smoothing: float = 0.1
    ema_decay: float = 0.999  # 0 = off

    def validate(self) -> Iterator[str]:
        if not self.rate > 0:
            yield f"rate must be above 0, not {self.rate}"
        if not 0 <= self.final_rate <= self.rate:
            yield f"final_rate must be between 0 and rate, not {self.final_rate}"
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            yield f"betas must be two numbers in [0, 1), not {list(self.betas)}"
        for name in ("label_smoothing", "ema_decay"):
            if not 0 <= getattr(self, name) < 1:
                yield f"{name} must be in [0, 1), not {getattr(self, name)}"
        if not 0 < self.plateau_factor < 1:
            yield f"plateau_factor must be in (0, 1), not {self.plateau_factor}"
        if self.plateau_patience < 1:
            yield f"plateau_patience must be at least 1, not {self.plateau_patience}"
        if not self.clip_norm > 0:
            yield f"clip_norm must be above 0, not {self.clip_norm}"


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How long, how precisely, and how often to look at the development set."""

    epochs: int
    # A run whose best weights and tokenizer this one begins with, to adapt a model to other texts,
    # to turn it round, or to go on with fewer of its layers: a directory, or the name of one beside
    # this run's.
    start_from: str = ""
    # How many epochs it takes until dropout, of values and of words, and random subwords are all
    # that the recipe says; they grow from nothing in the first. 0 = all from the start.
    curriculum_epochs: int = 0
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    evaluations_per_epoch: int = 1
    patience: int = 5  # evaluations without a better score before training ends
    checkpoint_minutes: float = 5.0
    keep_best: int = 1  # evaluations whose weights stay in <run>/checkpoints, for `average`
    average_best: int = 1  # at the end their mean is scored too, and taken if it is better

    def validate(self) -> Iterator[str]:
        for name in ("epochs", "evaluations_per_epoch", "patience", "keep_best", "average_best"):
            if getattr(self, name) < 1:
                yield f"{name} must be at least 1, not {getattr(self, name)}"
        if self.curriculum_epochs < 0:
            yield f"curriculum_epochs must be at least 0, not {self.curriculum_epochs}"
