"""Both ways at once: each position knows what stands before and behind it.

Shapes: T time steps, B batch rows, D input features, H hidden units. Time is the first axis.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.layers.recurrent import Cell
from training.layers.transition import make_recurrent

__all__ = ["BiRecurrent"]


class BiRecurrent(nn.Module):
    """A forward and a backward layer, concatenated (Schuster & Paliwal 1997). Padding on the right
    changes nothing.
    """

    def __init__(
        self,
        cell: Cell,
        width_in: int,
        hidden: int,
        *,
        bidirectional: bool,
        depth: int = 1,
        normed: bool = False,
    ) -> None:
        super().__init__()
        self.ahead = make_recurrent(cell, width_in, hidden, depth=depth, normed=normed)
        self.back = (
            make_recurrent(cell, width_in, hidden, depth=depth, normed=normed)
            if bidirectional
            else None
        )
        self.width = hidden * (2 if bidirectional else 1)

    def forward(self, x_TBD: Tensor, lengths_B: Tensor) -> Tensor:
        """Outputs [T, B, width]; those of padded positions are meaningless and must be masked by
        the reader.
        """
        ahead_TBH, _ = self.ahead(x_TBD)
        if self.back is None:
            return ahead_TBH
        back_TBH, _ = self.back(_reverse(x_TBD, lengths_B))
        return torch.cat([ahead_TBH, _reverse(back_TBH, lengths_B)], dim=-1)


def _reverse(x_TBD: Tensor, lengths_B: Tensor) -> Tensor:
    """Each row's first ``length`` steps in reverse order; what lies behind them stays behind."""
    steps = x_TBD.shape[0]
    if bool((lengths_B == steps).all()):
        return x_TBD.flip(0)
    time_T1 = torch.arange(steps, device=x_TBD.device).unsqueeze(1)
    order_TB = torch.where(time_T1 < lengths_B, lengths_B - 1 - time_T1, time_T1)
    return x_TBD.gather(0, order_TB.unsqueeze(-1).expand_as(x_TBD))
