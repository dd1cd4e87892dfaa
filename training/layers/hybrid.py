"""A layer of a Transformer's decoder with recurrence in the place of self-attention.

What a decoder needs of its own past fits a state of fixed size, which makes a step cheap however
much was said, while attention to the source and the feed-forward part stay (Chen et al. 2018, "The
best of both worlds"; Kim et al. 2019 with an SSRU).

Shapes: B rows, T time steps, S source positions, D width.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn

from training.layers.dropout import SharedDropout
from training.layers.recurrent import Recurrent, State
from training.layers.ssru import Ssru
from training.layers.transformer import FeedForward, MultiHeadAttention, Remembered

__all__ = ["HybridBlock", "HybridCell", "Recurrence"]

HybridCell = Literal["lstm", "gru", "ssru"]


class Recurrence(nn.Module):
    """A cell as wide as the layer, behind a normalisation."""

    def __init__(self, cell: HybridCell, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.cell = Ssru(width) if cell == "ssru" else Recurrent(cell, width, width)

    def forward(self, x_BTD: Tensor, state: State) -> tuple[Tensor, State]:
        """Outputs [B, T, D], and the state after the last step."""
        y_TBD, after = self.cell(self.norm(x_BTD).transpose(0, 1), state)
        return y_TBD.transpose(0, 1), after


class HybridBlock(nn.Module):
    """Recurrence, attention to the source and a feed-forward layer; each reads the normalised sum
    of what came before it and adds to it.

    A ``conditional`` layer has a second recurrence behind the attention, so that the state knows
    what was looked at (after the conditional GRU of Sennrich et al. 2017, "Nematus").
    """

    def __init__(
        self, cell: HybridCell, width: int, heads: int, inner: int, *, conditional: bool
    ) -> None:
        super().__init__()
        self.recurrences = nn.ModuleList(
            Recurrence(cell, width) for _ in range(2 if conditional else 1)
        )
        self.attention_norm = nn.LayerNorm(width)
        self.attention = MultiHeadAttention(width, heads)
        self.feed_forward_norm = nn.LayerNorm(width)
        self.feed_forward = FeedForward(width, inner)

    def forward(
        self, x_BTD: Tensor, states: Sequence[State], source: Remembered, dropout: SharedDropout
    ) -> tuple[Tensor, list[State], Tensor]:
        """Outputs [B, T, D], each recurrence's state after the last step, and attention weights [B,
        T, S].
        """
        said_BTD, state = self.recurrences[0](x_BTD, states[0])
        after = [state]
        x_BTD = x_BTD + dropout(said_BTD)
        found_BTD, weights_BTS = self.attention(self.attention_norm(x_BTD), *source)
        x_BTD = x_BTD + dropout(found_BTD)
        for recurrence, before in zip(self.recurrences[1:], states[1:], strict=True):
            noted_BTD, state = recurrence(x_BTD, before)
            after.append(state)
            x_BTD = x_BTD + dropout(noted_BTD)
        thought_BTD = self.feed_forward(self.feed_forward_norm(x_BTD))
        return x_BTD + dropout(thought_BTD), after, weights_BTS
