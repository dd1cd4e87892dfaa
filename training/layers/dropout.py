"""What is left out at random while training: values, and whole words.

Shapes: S or T time steps, B batch rows, D features.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from service.bundle import SpecialIds

__all__ = ["Dropout", "SharedDropout", "drop_words"]


class Dropout(nn.Module):
    """Values are left out one by one (Srivastava et al. 2014), ``strength`` times as many as the
    ``rate`` says: see ``training.curriculum``.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.strength = 1.0

    @property
    def rate_now(self) -> float:
        """What is left out at the strength of the moment."""
        return self.rate * self.strength

    def forward(self, x: Tensor) -> Tensor:
        """[*]."""
        return nn.functional.dropout(x, self.rate_now, self.training)

    def extra_repr(self) -> str:
        return f"rate={self.rate}"


class SharedDropout(Dropout):
    """Variational dropout: one mask per sequence, the same at every time step (Gal & Ghahramani
    2016, section 4).

    ``time`` is the axis of the steps. Besides regularising better than a fresh mask per step it
    draws T times fewer random numbers.
    """

    def __init__(self, rate: float, time: int = 0) -> None:
        super().__init__(rate)
        self.time = time

    def forward(self, x: Tensor) -> Tensor:
        """[T, B, D], or [B, T, D] where ``time`` is 1."""
        if not self.training or self.rate_now == 0:
            return x
        share = 1 - self.rate_now
        keep = torch.empty_like(x.narrow(self.time, 0, 1), memory_format=torch.contiguous_format)
        return x * keep.bernoulli_(share).div_(share)


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
