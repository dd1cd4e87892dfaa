"""The simpler simple recurrent unit.

All its products are of the inputs alone, so that training computes them for all steps at once; only
a multiplication and an addition for each unit go from step to step. One step costs two products,
where an LSTM costs eight and self-attention grows with what was said.

Shapes: T time steps, B rows, H units. Time is the first axis.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.layers.recurrent import State

__all__ = ["Ssru"]


class Ssru(nn.Module):
    """f_t = sigmoid(W_f x_t + b_f); c_t = f_t c_{t-1} + (1 - f_t) W x_t; output max(0, c_t) (Kim et
    al. 2019, "From research to production and back", section 3.2).
    """

    states = 1  # the cell c

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.write = nn.Linear(hidden, hidden, bias=False)
        self.forget = nn.Linear(hidden, hidden)
        nn.init.xavier_uniform_(self.write.weight)
        nn.init.xavier_uniform_(self.forget.weight)
        nn.init.zeros_(self.forget.bias)

    def forward(self, x_TBH: Tensor, state: State) -> tuple[Tensor, State]:
        """Outputs of all steps, [T, B, H], and the state after the last one."""
        forget_TBH = torch.sigmoid(self.forget(x_TBH).float())
        written_TBH = (1 - forget_TBH) * self.write(x_TBH).float()
        (c_BH,) = state
        cells = []
        for forget_BH, written_BH in zip(forget_TBH, written_TBH, strict=True):
            c_BH = torch.addcmul(written_BH, forget_BH, c_BH)
            cells.append(c_BH)
        return torch.relu(torch.stack(cells)).to(x_TBH.dtype), (c_BH,)
