"""Recurrent layers: a whole sequence at once for training, one step at a time for decoding, the
same weights.

Shapes: T time steps, B batch rows, D input features, H hidden units. Time is the first axis.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

__all__ = ["Cell", "Recurrent", "State"]

Cell = Literal["rnn", "lstm", "gru"]
State = tuple[Tensor, ...]
"""What a cell carries from step to step, each [B, H]: (h,), and of an LSTM (h, c)."""

_KINDS: dict[Cell, type[nn.RNN | nn.LSTM | nn.GRU]] = {
    "rnn": nn.RNN,
    "lstm": nn.LSTM,
    "gru": nn.GRU,
}


class Recurrent(nn.Module):
    """One unidirectional layer. All cells are the state-space form: the next state is a function of
    the state and the input, x_t = f(x_{t-1}, u_t), and what is read off it is y_t = h(x_t).

    ``rnn``: f is tanh(W u + U x + b) (Elman 1990). Its gradient passes a product of Us on the way
    back in time and vanishes or explodes (Bengio et al. 1994); the gates of the others let it pass.
    ``lstm``: Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000. ``gru``: Cho
    et al. 2014.

    ``states`` is the number of tensors in its state.
    """

    def __init__(self, cell: Cell, width_in: int, hidden: int) -> None:
        super().__init__()
        self.cell = cell
        self.hidden = hidden
        self.rnn = _KINDS[cell](width_in, hidden)
        self._initialise()

    @property
    def states(self) -> int:
        return 2 if self.cell == "lstm" else 1

    def forward(self, x_TBD: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Outputs of all steps, [T, B, H], and the state after the last one. No state means
        zeros.
        """
        if self.cell == "lstm":
            start = None if state is None else (state[0].unsqueeze(0), state[1].unsqueeze(0))
            y_TBH, (h_1BH, c_1BH) = self.rnn(x_TBD, start)
            return y_TBH, (h_1BH[0], c_1BH[0])
        y_TBH, h_1BH = self.rnn(x_TBD, None if state is None else state[0].unsqueeze(0))
        return y_TBH, (h_1BH[0],)

    def step(self, x_BD: Tensor, state: State) -> tuple[Tensor, State]:
        """One step of the same recurrence: output [B, H] and the next state."""
        y_1BH, after = self(x_BD.unsqueeze(0), state)
        return y_1BH[0], after

    def _initialise(self) -> None:
        """Orthogonal recurrences keep the norm of the state (Saxe et al. 2014); an LSTM starts by
        remembering (forget bias 1, Jozefowicz et al. 2015).
        """
        for name, weight in self.rnn.named_parameters():
            if name.startswith("weight_hh"):
                for gate in weight.data.chunk(weight.shape[0] // self.hidden):
                    nn.init.orthogonal_(gate)
            elif name.startswith("weight_ih"):
                nn.init.xavier_uniform_(weight)
            else:
                nn.init.zeros_(weight)
        if self.cell == "lstm":
            # Gate order: input, forget, cell, output.
            self.rnn.get_parameter("bias_ih_l0").data[self.hidden : 2 * self.hidden] = 1.0
