"""Dropout for recurrent networks.

Shapes: S or T time steps, B batch rows, D features.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from service.bundle import SpecialIds

__all__ = ["SharedDropout", "drop_words"]


class SharedDropout(nn.Module):
    """Variational dropout: one mask per sequence, the same at every time step (Gal & Ghahramani
    2016, section 4).

    ``time`` is the axis of the steps. Besides regularising better than a fresh mask per step it
    draws T times fewer random numbers.
    """

    def __init__(self, rate: float, time: int = 0) -> None:
        super().__init__()
        self.rate = rate
        self.time = time

    def forward(self, x: Tensor) -> Tensor:
        """[T, B, D], or [B, T, D] where ``time`` is 1."""
        if not self.training or self.rate == 0:
            return x
        keep = torch.empty_like(x.narrow(self.time, 0, 1), memory_format=torch.contiguous_format)
        return x * keep.bernoulli_(1 - self.rate).div_(1 - self.rate)

    def extra_repr(self) -> str:
        return f"rate={self.rate}"


def drop_words(ids_BT: Tensor, rate: float, special: SpecialIds) -> Tensor:
    """Replace each word with the unknown one at probability ``rate`` (Bowman et al. 2016, section
    3.1); padding and both ends stay.
    """
    if rate == 0:
        return ids_BT
    dropped_BT = torch.rand(ids_BT.shape, device=ids_BT.device) < rate
    for spared in (special.pad, special.bos, special.eos):
        dropped_BT &= ids_BT != spared
    return ids_BT.masked_fill(dropped_BT, special.unk)
