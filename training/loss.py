"""Label-smoothed cross-entropy straight from the read-outs, without ever holding all scores.

At a vocabulary of thousands the scores of a batch are tens of megabytes, and every pass over them
costs as much as computing them. Here a few hundred rows at a time go from read-out to loss *and*
gradient (the idea of Wijmans et al. 2024, "Cut your losses", for a CPU), and of that size nothing
is ever written but the scores and their softmax: the loss is

    log sum exp(scores) - wanted . scores,   wanted = (1 - smoothing) onehot(target) + smoothing / V

and the second half, as its gradients, only needs a row of the weights and their mean.

Shapes: N target positions, K of them that count, E embedding, V vocabulary.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["smoothed_cross_entropy"]

# In flight: 8 MB of scores in 16 bits at V = 8000; fewer would add up weight gradients oftener.
_ROWS = 512
# The last of them are filled up to this: for every new shape oneDNN compiles its products anew.
_MULTIPLE = 128


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
        device = readout_NE.device.type
        half = torch.is_autocast_enabled(device)
        dtype = torch.get_autocast_dtype(device) if half else readout_NE.dtype
        kept_K = (target_N != ignore).nonzero().squeeze(1)
        readout_KE, target_K = readout_NE[kept_K].to(weight_VE.dtype), target_N[kept_K]
        with torch.autocast(device, enabled=False):
            nll, *slopes = _likelihood(readout_KE, weight_VE, bias_V, target_K, dtype)
            grad_KE, grad_VE, grad_V = slopes
            each = smoothing / len(bias_V)
            of_target_KE = weight_VE[target_K]
            wanted_KE = (1 - smoothing) * of_target_KE + each * weight_VE.sum(0)
            target_V = torch.bincount(target_K, minlength=len(bias_V)).to(bias_V.dtype)
            wanted_V = (1 - smoothing) * target_V + each * len(target_K)
            # Of the target's score only the wanted part is rewarded, and a little of every other.
            loss = nll + (readout_KE * (of_target_KE - wanted_KE)).sum()
            loss += (target_V - wanted_V) @ bias_V
            grad_KE -= wanted_KE
            grad_VE.index_add_(0, target_K, readout_KE, alpha=smoothing - 1)
            grad_VE -= each * readout_KE.sum(0)
            grad_V -= wanted_V
        grad_NE = torch.zeros_like(readout_NE)
        grad_NE[kept_K] = grad_KE.to(grad_NE.dtype)
        ctx.save_for_backward(grad_NE, grad_VE, grad_V)
        ctx.count = max(len(kept_K), 1)
        nll = nll / ctx.count
        ctx.mark_non_differentiable(nll)
        return loss / ctx.count, nll

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        scale = grads[0] / ctx.count
        of_inputs = (grad * scale.to(grad.dtype) for grad in ctx.saved_tensors)
        return *of_inputs, None, None, None


def _likelihood(
    readout_KE: Tensor, weight_VE: Tensor, bias_V: Tensor, target_K: Tensor, dtype: torch.dtype
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The negative log-likelihood of the targets, all positions together, and the gradients by
    read-outs, weights and bias of the sum of log sum exp(scores).

    Multiplied in ``dtype``, added up in that of the arguments. The likelihood of a target that the
    model holds for impossible is that of the smallest number, 87 nats; its gradient is exact.
    """
    count, nll = len(readout_KE), readout_KE.new_zeros(())
    grad_KE, grad_VE, grad_V = map(torch.zeros_like, (readout_KE, weight_VE, bias_V))
    weight, bias = weight_VE.to(dtype), bias_V.to(dtype)
    padded_PE = F.pad(readout_KE.to(dtype), (0, 0, 0, -count % _MULTIPLE))
    for start in range(0, count, _ROWS):
        hidden, target = padded_PE[start : start + _ROWS], target_K[start : start + _ROWS, None]
        softmax = torch.addmm(bias, hidden, weight.t()).softmax(1)
        real = len(target)
        chosen = softmax[:real].gather(1, target).float()
        nll -= chosen.clamp_min(torch.finfo(dtype).tiny).log().sum()
        softmax[real:] = 0
        grad_KE[start : start + real] = (softmax @ weight)[:real].to(grad_KE.dtype)
        grad_VE += softmax.t() @ hidden
        grad_V += (softmax.new_ones(1, len(hidden)) @ softmax)[0]
    return nll, grad_KE, grad_VE, grad_V
