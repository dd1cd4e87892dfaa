"""The conditional cell: attention in the middle of a step, so that the state knows where it looked.

    s' = cell_1(y, s)        what was said last
    c  = attention(s')       where that leads in the source
    s  = cell_2(c, s')       the state that speaks, and the next step begins with

The conditional GRU of Sennrich et al. 2017 ("Nematus", section 2.2), with any cell; further cells
make the transition deeper (Miceli Barone et al. 2017, section 3.2). Each step's question depends on
what the one before it found, so that even in training steps go one by one.

Shapes: T time steps, B rows, S source positions, D input features, M memory width, H hidden units.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from training.layers.cells import StepCell
from training.layers.recurrent import Cell, State

__all__ = ["Conditional", "ConditionalOutput"]


class ConditionalOutput(NamedTuple):
    """All steps of the states [T, B, H], of what was found [T, B, M] and where [B, T, S]; the state
    after the last.
    """

    h_TBH: Tensor
    context_TBM: Tensor
    weights_BTS: Tensor
    state: State


class Conditional(nn.Module):
    """Two cells with attention between them, and ``depth`` - 2 cells that read nothing."""

    def __init__(
        self, cell: Cell, width_in: int, memory: int, hidden: int, *, depth: int, normed: bool
    ) -> None:
        super().__init__()
        self.hidden = hidden
        widths = [width_in, memory] + [0] * (depth - 2)
        self.cells = nn.ModuleList(StepCell(cell, width, hidden, normed=normed) for width in widths)
        self.states = 2 if cell == "lstm" else 1

    @property
    def levels(self) -> list[StepCell]:
        """The cells, in the order in which a step goes through them."""
        return [cell for cell in self.cells if isinstance(cell, StepCell)]

    def forward(
        self, x_TBD: Tensor, state: State, look: Callable[[Tensor], tuple[Tensor, Tensor]]
    ) -> ConditionalOutput:
        """``look`` answers a query [B, H] with a context [B, M] and weights [B, S]."""
        first, second, *deeper = self.levels
        assert first.inward is not None
        assert second.inward is not None
        outputs, contexts, weights = [], [], []
        for part_BX in first.inward(x_TBD):
            state = first(part_BX, state)
            context_BM, weights_BS = look(state[0])
            state = second(second.inward(context_BM), state)
            for cell in deeper:
                state = cell(None, state)
            outputs.append(state[0])
            contexts.append(context_BM)
            weights.append(weights_BS)
        return ConditionalOutput(
            torch.stack(outputs), torch.stack(contexts), torch.stack(weights, dim=1), state
        )
