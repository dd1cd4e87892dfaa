"""The optimiser, its schedule, and the moving average of the weights."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from training.config import OptimConfig

__all__ = ["MovingAverage", "Schedule", "make_optimizer"]

M = TypeVar("M", bound=nn.Module)


def make_optimizer(model: nn.Module, config: OptimConfig) -> torch.optim.Adam:
    """Adam (Kingma & Ba 2015); its rate is set by the schedule before every step."""
    first, second = config.betas
    return torch.optim.Adam(model.parameters(), lr=config.rate, betas=(first, second), fused=True)


@dataclass(frozen=True)
class Schedule:
    """The learning rate as a function of the step and of the share of the training that is done."""

    config: OptimConfig

    def rate(self, step: int, progress: float, reductions: int = 0) -> float:
        """``step`` counts from 0, ``progress`` runs from 0 to 1; ``reductions`` is how often the
        score has stopped rising.
        """
        warmup = max(self.config.warmup_steps, 1)
        warm = min(1.0, (step + 1) / warmup)
        progress = min(max(progress, 0.0), 1.0)
        match self.config.schedule:
            case "constant":
                share = 1.0
            case "linear":
                share = 1.0 - progress
            case "cosine":
                share = 0.5 * (1.0 + math.cos(math.pi * progress))
            case "inverse_sqrt":  # Vaswani et al. 2017, section 5.3
                share = math.sqrt(warmup / max(step + 1, warmup))
            case "plateau":
                share = self.config.plateau_factor**reductions
        return warm * (self.config.final_rate + (self.config.rate - self.config.final_rate) * share)


class MovingAverage(Generic[M]):
    """Exponential moving average of the weights (Polyak & Juditsky 1992); the model that is
    evaluated and exported.

    The decay grows from 0 to its limit, so that the average forgets the random start.
    """

    def __init__(self, model: M, decay: float) -> None:
        self.decay = decay
        self.model: M = copy.deepcopy(model).eval().requires_grad_(requires_grad=False)

    @torch.no_grad()
    def update(self, model: M, step: int) -> None:
        """Take in the weights after step ``step`` (from 0)."""
        decay = min(self.decay, (step + 1) / (step + 10))
        averaged, current = _weights(self.model), _weights(model)
        torch._foreach_lerp_(
            list(averaged.values()), [current[name] for name in averaged], 1 - decay
        )


def _weights(model: nn.Module) -> Mapping[str, Tensor]:
    return dict(model.named_parameters())  # a shared matrix stands here once
