"""Depth in time: between two symbols the state goes through several cells instead of one.

Shapes: T time steps, B rows, D input features, H hidden units. Time is the first axis.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.layers.cells import StepCell
from training.layers.recurrent import Cell, Recurrent, State

__all__ = ["DeepRecurrent", "RecurrentLayer", "make_recurrent"]


class DeepRecurrent(nn.Module):
    """A recurrent layer with a deep transition: h_{t,1} = cell_1(x_t, h_{t-1,L}) and h_{t,k} =
    cell_k(h_{t,k-1}), where only the first cell reads the input (Pascanu et al. 2014; as encoder
    and decoder of translation, Miceli Barone et al. 2017, section 3.1).
    """

    def __init__(
        self, cell: Cell, width_in: int, hidden: int, *, depth: int = 1, normed: bool = False
    ) -> None:
        super().__init__()
        self.cell = cell
        self.hidden = hidden
        self.cells = nn.ModuleList(
            StepCell(cell, 0 if level else width_in, hidden, normed=normed)
            for level in range(depth)
        )

    @property
    def states(self) -> int:
        return 2 if self.cell == "lstm" else 1

    @property
    def levels(self) -> list[StepCell]:
        """The cells, in the order in which a step goes through them."""
        return [cell for cell in self.cells if isinstance(cell, StepCell)]

    def forward(self, x_TBD: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """As ``Recurrent``: all outputs and the last state; no state means zeros."""
        first, *deeper = self.levels
        assert first.inward is not None
        if state is None:
            state = (x_TBD.new_zeros(x_TBD.shape[1], self.hidden),) * self.states
        outputs = []
        for part_BX in first.inward(x_TBD):  # what all inputs say, in one product
            state = first(part_BX, state)
            for cell in deeper:
                state = cell(None, state)
            outputs.append(state[0])
        return torch.stack(outputs), state

    def step(self, x_BD: Tensor, state: State) -> tuple[Tensor, State]:
        """One step of the same recurrence: output [B, H] and the next state."""
        y_1BH, after = self(x_BD.unsqueeze(0), state)
        return y_1BH[0], after


RecurrentLayer = Recurrent | DeepRecurrent


def make_recurrent(
    cell: Cell, width_in: int, hidden: int, *, depth: int = 1, normed: bool = False
) -> RecurrentLayer:
    """The fused kernels wherever they can do it; they are several times as quick."""
    if depth == 1 and not normed:
        return Recurrent(cell, width_in, hidden)
    return DeepRecurrent(cell, width_in, hidden, depth=depth, normed=normed)
