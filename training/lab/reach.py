"""How far back a gradient reaches: the norm of d loss / d input, k steps before the loss.

Shapes: T time steps, S source positions, B rows, D input features.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.data.batches import Batch
from training.models import Reader, Seq2Seq

__all__ = ["layer_reach", "source_reach"]

Layer = Callable[[Tensor], tuple[Tensor, Any]]


def layer_reach(layer: Layer, x_TBD: Tensor, readout: nn.Module, wanted_B: Tensor) -> list[float]:
    """|d loss at the last step / d input k steps before it|, for k = 0, 1, ..: the mean over rows.

    The loss is the cross-entropy of ``readout`` of the layer's last output.
    """
    x_TBD = x_TBD.detach().requires_grad_()
    y_TBH, _ = layer(x_TBD)
    loss = F.cross_entropy(readout(y_TBH[-1]), wanted_B, reduction="sum")
    (grad_TBD,) = torch.autograd.grad(loss, x_TBD)
    norms: list[float] = grad_TBD.norm(dim=-1).mean(1).flip(0).tolist()
    return norms


def source_reach(model: Seq2Seq, batch: Batch) -> list[float]:
    """|d loss of the last target symbol / d embedded source symbol|, by source position: the mean
    over rows of one length. The symbol comes before eos.
    """
    embedded: list[Tensor] = []
    reader = model.decoder if isinstance(model.encoder, Reader) else model.encoder
    hook = reader.embedding.register_forward_hook(lambda *args: embedded.append(args[2]))
    try:
        readout_BTE = model(batch.source_BS, batch.source_lengths_B, batch.target_in_BT)
    finally:
        hook.remove()
    scores_BV = model.output(readout_BTE[:, -2])
    loss = F.cross_entropy(scores_BV, batch.target_out_BT[:, -2], reduction="sum")
    # The first look-up is the source's: a tied matrix is read once more for the target.
    (grad,) = torch.autograd.grad(loss, embedded[:1])
    rows = 0 if model.config.encoder == "transformer" else 1  # recurrent encoders put time first
    norms: list[float] = grad.norm(dim=-1).mean(rows).tolist()
    return norms[: int(batch.source_lengths_B[0]) - 1]
