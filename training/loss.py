"""Label-smoothed cross-entropy straight from the read-outs, without ever holding all scores.

At a vocabulary of thousands the scores of a batch are tens of megabytes, and writing them, their
softmax and their gradient to memory costs more than computing them. Here a few hundred rows at a
time go from read-out to loss *and* gradient while they are in the cache (the idea of Wijmans et al.
2024, "Cut your losses", for a CPU).

Shapes: N target positions, E embedding, V vocabulary.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

__all__ = ["smoothed_cross_entropy"]

_ROWS = 256  # rows in flight: their float32 scores fit a cache at V = 8000


def smoothed_cross_entropy(
    readout_NE: Tensor,
    weight_VE: Tensor,
    bias_V: Tensor,
    target_N: Tensor,
    *,
    smoothing: float,
    ignore: int,
) -> tuple[Tensor, Tensor]:
    """Mean over the positions whose target is not ``ignore``.

    The wanted distribution gives 1 - smoothing to the target and spreads ``smoothing`` over the
    whole vocabulary (Szegedy et al. 2016, section 7).

    Returns:
        The loss to minimise, and the plain negative log-likelihood per token (no gradient) for
        perplexity.
    """
    loss, nll = _SmoothedCrossEntropy.apply(  # type: ignore[no-untyped-call]  # torch's typing
        readout_NE, weight_VE, bias_V, target_N, smoothing, ignore
    )
    return loss, nll


class _SmoothedCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(  # noqa: PLR0913, PLR0917  autograd functions take their inputs one by one
        ctx: Any,
        readout_NE: Tensor,
        weight_VE: Tensor,
        bias_V: Tensor,
        target_N: Tensor,
        smoothing: float,
        ignore: int,
    ) -> tuple[Tensor, Tensor]:
        dtype = (
            torch.get_autocast_dtype(readout_NE.device.type)
            if torch.is_autocast_enabled(readout_NE.device.type)
            else readout_NE.dtype
        )
        kept_N = (target_N != ignore).nonzero().squeeze(1)
        count = max(len(kept_N), 1)
        weight, vocabulary = weight_VE.to(dtype), len(weight_VE)
        grad_NE = torch.zeros_like(readout_NE)
        grad_VE = torch.zeros_like(weight_VE)
        grad_V = torch.zeros_like(bias_V)
        loss = nll = torch.zeros((), device=readout_NE.device)
        with torch.autocast(readout_NE.device.type, enabled=False):
            for rows in kept_N.split(_ROWS):
                hidden, wanted = readout_NE[rows].to(dtype), target_N[rows].unsqueeze(1)
                scores = torch.addmm(bias_V.to(dtype), hidden, weight.t()).float()
                log_sum = scores.logsumexp(1, keepdim=True)
                chosen = (scores.gather(1, wanted) - log_sum).sum()
                spread = scores.sum() / vocabulary - log_sum.sum()
                nll = nll - chosen
                loss = loss - (1 - smoothing) * chosen - smoothing * spread
                # d loss / d scores = softmax - wanted distribution, written over the scores.
                slope = scores.sub_(log_sum).exp_().sub_(smoothing / vocabulary)
                slope.scatter_add_(1, wanted, torch.full_like(log_sum, smoothing - 1)).div_(count)
                grad_V += slope.sum(0)
                slope = slope.to(dtype)
                grad_NE[rows] = (slope @ weight).to(grad_NE.dtype)
                grad_VE += (slope.t() @ hidden).to(grad_VE.dtype)
        ctx.save_for_backward(grad_NE, grad_VE, grad_V)
        nll = nll / count
        ctx.mark_non_differentiable(nll)
        return loss / count, nll

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        grad_NE, grad_VE, grad_V = ctx.saved_tensors
        scale = grads[0]
        return grad_NE * scale.to(grad_NE.dtype), grad_VE * scale, grad_V * scale, None, None, None
