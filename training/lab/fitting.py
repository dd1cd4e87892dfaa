"""Training of one rung: so many steps on given batches, with the parts that the trainer is made of.

The trainer itself keeps checkpoints, evaluates, resumes and stops early; here every rung takes the
same number of steps, whatever becomes of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count, islice
from typing import NamedTuple

from torch import nn

from service.bundle import SpecialIds
from training.config import OptimConfig
from training.data.batches import Batch, BatchSampler
from training.models import Seq2Seq
from training.objective import batch_loss
from training.optim import MovingAverage, Schedule, make_optimizer

__all__ = ["Fitted", "fit"]


class Fitted(NamedTuple):
    """The moving average of the weights, and the last batches' mean negative log-likelihood."""

    model: Seq2Seq
    nll: float


def fit(
    model: Seq2Seq,
    sampler: BatchSampler,
    optim: OptimConfig,
    special: SpecialIds,
    steps: int,
    tick: Callable[[], None],
) -> Fitted:
    """Take ``steps`` steps; ``tick`` is called after each."""
    optimizer, schedule = make_optimizer(model, optim), Schedule(optim)
    average = MovingAverage(model, optim.ema_decay)
    recent = 0.0
    model.train()
    for step, batch in enumerate(islice(_batches(sampler), steps)):
        for group in optimizer.param_groups:
            group["lr"] = schedule.rate(step, step / steps)
        loss, token_nll = batch_loss(model, batch, special, smoothing=optim.label_smoothing)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), optim.clip_norm)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        average.update(model, step)
        nll = token_nll.item()
        recent += 0.05 * (nll - recent) if step else nll
        tick()
    return Fitted(average.model if optim.ema_decay else model.eval(), recent)


def _batches(sampler: BatchSampler) -> Iterator[Batch]:
    """Epoch after epoch, without end."""
    for epoch in count():
        yield from sampler.epoch(epoch)
