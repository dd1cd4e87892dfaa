"""Recurrent cells written out, for what the fused kernels of ``Recurrent`` cannot do: layer
normalisation inside a cell, and a step that is several cells deep.

Shapes: B rows, D input features, H hidden units, X = H times the number of gates.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.layers.recurrent import Cell, State

__all__ = ["GateNorm", "Gates", "StepCell"]

_GATES: Mapping[Cell, int] = {"rnn": 1, "gru": 3, "lstm": 4}


class GateNorm(nn.Module):
    """Layer normalisation (Ba et al. 2016, eq. 4) of each gate by itself, as Chen et al. 2018 ("The
    best of both worlds", section 4) found that their RNMT+ trains stably with.
    """

    def __init__(self, gates: int, hidden: int) -> None:
        super().__init__()
        self.gates = gates
        self.gain = nn.Parameter(torch.ones(gates * hidden))
        self.bias = nn.Parameter(torch.zeros(gates * hidden))
        self.eps = 1e-5

    def forward(self, x: Tensor) -> Tensor:
        """[..., X]."""
        apart = x.unflatten(-1, (self.gates, -1))
        normed = F.layer_norm(apart, apart.shape[-1:], eps=self.eps).flatten(-2)
        return normed * self.gain + self.bias


class Gates(nn.Module):
    """What one side, the input or the state, has to say to the gates of a cell: [..., X]."""

    def __init__(self, width_in: int, hidden: int, gates: int, *, normed: bool) -> None:
        super().__init__()
        self.linear = nn.Linear(width_in, gates * hidden, bias=not normed)
        self.norm = GateNorm(gates, hidden) if normed else None

    def forward(self, x: Tensor) -> Tensor:
        part = self.linear(x)
        return torch.as_tensor(part if self.norm is None else self.norm(part))

    @property
    def bias(self) -> nn.Parameter:
        """What is added last."""
        return self.linear.bias if self.norm is None else self.norm.bias


class StepCell(nn.Module):
    """One step of a plain recurrent network, a GRU or an LSTM, by the formulas of ``Recurrent``.

    A cell of ``width_in`` 0 reads nothing and moves the state on by itself. A ``normed`` one
    normalises what comes from either side, and an LSTM also its memory before it is shown (Ba et
    al. 2016, eq. 20 to 22).
    """

    def __init__(self, cell: Cell, width_in: int, hidden: int, *, normed: bool) -> None:
        super().__init__()
        self.cell = cell
        self.hidden = hidden
        gates = _GATES[cell]
        self.inward = Gates(width_in, hidden, gates, normed=normed) if width_in else None
        self.back = Gates(hidden, hidden, gates, normed=normed)
        self.shown = GateNorm(1, hidden) if normed and cell == "lstm" else None
        self._initialise()

    @property
    def states(self) -> int:
        return 2 if self.cell == "lstm" else 1

    def forward(self, part_BX: Tensor | None, state: State) -> State:
        """The next state. ``part_BX`` is what ``inward`` makes of the input."""
        back_BX = self.back(state[0])
        if self.cell == "gru":
            return self._gru(part_BX, back_BX, state[0])
        both_BX = back_BX if part_BX is None else part_BX + back_BX
        return self._lstm(both_BX, state[1]) if self.cell == "lstm" else (torch.tanh(both_BX),)

    def _lstm(self, gates_BX: Tensor, c_BH: Tensor) -> State:
        """Torch's order: input, forget, cell, output."""
        inward, forget, cell, outward = gates_BX.chunk(4, dim=-1)
        c_BH = torch.sigmoid(forget) * c_BH + torch.sigmoid(inward) * torch.tanh(cell)
        shown_BH = c_BH if self.shown is None else self.shown(c_BH)
        return torch.sigmoid(outward) * torch.tanh(shown_BH), c_BH

    def _gru(self, part_BX: Tensor | None, back_BX: Tensor, h_BH: Tensor) -> State:
        """Torch's order: reset, update, new; the reset gate acts behind the recurrent product."""
        back_gates, back_new = back_BX.split([2 * self.hidden, self.hidden], dim=-1)
        if part_BX is None:
            reset, update = torch.sigmoid(back_gates).chunk(2, dim=-1)
            new_BH = torch.tanh(reset * back_new)
        else:
            part_gates, part_new = part_BX.split([2 * self.hidden, self.hidden], dim=-1)
            reset, update = torch.sigmoid(part_gates + back_gates).chunk(2, dim=-1)
            new_BH = torch.tanh(part_new + reset * back_new)
        return (new_BH + update * (h_BH - new_BH),)

    def _initialise(self) -> None:
        """As ``Recurrent``: orthogonal recurrences, an LSTM that starts by remembering."""
        for gate in self.back.linear.weight.data.split(self.hidden):
            nn.init.orthogonal_(gate)
        for side in (self.back, self.inward):
            if side is not None:
                nn.init.zeros_(side.bias)
        if self.inward is not None:
            nn.init.xavier_uniform_(self.inward.linear.weight)
        if self.cell == "lstm":
            (self.inward or self.back).bias.data[self.hidden : 2 * self.hidden] = 1.0
