"""Dropout for recurrent networks.

Shapes: S or T time steps, B batch rows, D features.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["SharedDropout", "drop_words"]


class SharedDropout(nn.Module):
    """Variational dropout: one mask per sequence, the same at every time step (Gal & Ghahramani
    2016, section 4).

    Time is the first axis. Besides regularising better than a fresh mask per step it draws T times
    fewer random numbers.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x_TBD: Tensor) -> Tensor:
        if not self.training or self.rate == 0:
            return x_TBD
        keep_BD = torch.empty_like(x_TBD[0]).bernoulli_(1 - self.rate).div_(1 - self.rate)
        return x_TBD * keep_BD

    def extra_repr(self) -> str:
        return f"rate={self.rate}"


def drop_words(ids_BT: Tensor, rate: float, unk: int) -> Tensor:
    """Replace each id but the first column's (bos) with ``unk`` at probability ``rate`` (Bowman et
    al. 2016, section 3.1).
    """
    if rate == 0:
        return ids_BT
    dropped_BT = torch.rand(ids_BT.shape, device=ids_BT.device) < rate
    dropped_BT[:, 0] = False
    return ids_BT.masked_fill(dropped_BT, unk)
