"""The parts of a Transformer (Vaswani et al. 2017), pre-norm: each part reads what is normalised
(Xiong et al. 2020), which trains without a long warm-up.

Shapes: B sentences, S positions of the memory, T queries of a sentence, P positions of its past, D
width, H heads, X width of a head.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from training.layers.dropout import SharedDropout

__all__ = [
    "DecoderBlock",
    "EncoderBlock",
    "FeedForward",
    "MultiHeadAttention",
    "Past",
    "Remembered",
    "positions_from",
    "sinusoids",
]


class Remembered(NamedTuple):
    """What attention reads of the source: keys and values [B, S, D], True at real positions."""

    keys_BSD: Tensor
    values_BSD: Tensor
    mask_BS: Tensor


class Past(NamedTuple):
    """What a row knows of its own tokens: keys and values [B, P, D], the first ``ages_B`` real."""

    keys_BPD: Tensor
    values_BPD: Tensor


def sinusoids(positions: int, width: int) -> Tensor:
    """Sines and cosines of falling frequency, [positions, width]; ``width`` is even (section
    3.5).
    """
    rates_D = torch.exp(torch.arange(0, width, 2) * (-math.log(10_000.0) / width))
    angles_SD = torch.arange(positions).unsqueeze(1) * rates_D
    return torch.stack([angles_SD.sin(), angles_SD.cos()], dim=-1).flatten(1)


class MultiHeadAttention(nn.Module):
    """softmax(Q K^T / sqrt(D / H)) V in H subspaces (section 3.2.2).

    Who asks and what is looked at (and so what is found) may have other widths than D.
    """

    def __init__(
        self, width: int, heads: int, *, asking: int | None = None, memory: int | None = None
    ) -> None:
        super().__init__()
        self.heads = heads
        memory = memory or width
        self.query = _linear(asking or width, width)
        self.key = _linear(memory, width)
        self.value = _linear(memory, width)
        self.out = _linear(width, memory)

    def remember(self, memory_BSD: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values [B, S, D]: what every query of a sentence reads."""
        return self.key(memory_BSD), self.value(memory_BSD)

    def forward(
        self, x_BTD: Tensor, keys_BSD: Tensor, values_BSD: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """What was found [B, T, D], and where: weights [B, T, S], the mean of the heads.

        ``mask`` is True at positions that may be looked at, [B, S], or [B, T, S] where queries of a
        sentence differ in it.
        """
        mask_BxS = mask if mask.dim() == 3 else mask.unsqueeze(1)
        query_BHTX = self._split(self.query(x_BTD))
        scores_BHTS = query_BHTX @ self._split(keys_BSD).transpose(2, 3)
        scores_BHTS = scores_BHTS.float() / math.sqrt(query_BHTX.shape[-1])
        scores_BHTS = scores_BHTS.masked_fill(~mask_BxS.unsqueeze(1), -torch.inf)
        weights_BHTS = scores_BHTS.softmax(-1)
        found_BHTX = weights_BHTS.to(values_BSD.dtype) @ self._split(values_BSD)
        return self.out(found_BHTX.transpose(1, 2).flatten(2)), weights_BHTS.mean(1)

    def _split(self, x_BTD: Tensor) -> Tensor:
        """[B, H, T, D / H]."""
        return x_BTD.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class FeedForward(nn.Module):
    """max(0, x W1 + b1) W2 + b2 at every position (section 3.3)."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.inner = _linear(width, inner)
        self.outer = _linear(inner, width)

    def forward(self, x_BTD: Tensor) -> Tensor:
        return torch.as_tensor(self.outer(torch.relu(self.inner(x_BTD))))


class EncoderBlock(nn.Module):
    """Every position looks at all others, then thinks for itself."""

    def __init__(self, width: int, heads: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = MultiHeadAttention(width, heads)
        self.feed_forward_norm = nn.LayerNorm(width)
        self.feed_forward = FeedForward(width, inner)
        self.dropout = SharedDropout(dropout, time=1)

    def forward(self, x_BSD: Tensor, mask_BS: Tensor) -> Tensor:
        normed_BSD = self.attention_norm(x_BSD)
        found_BSD, _ = self.attention(normed_BSD, *self.attention.remember(normed_BSD), mask_BS)
        x_BSD = x_BSD + self.dropout(found_BSD)
        thought_BSD = self.feed_forward(self.feed_forward_norm(x_BSD))
        return torch.as_tensor(x_BSD + self.dropout(thought_BSD))


class DecoderBlock(nn.Module):
    """Every token looks at those before it and at itself, then at the source, then thinks."""

    def __init__(self, width: int, heads: int, inner: int) -> None:
        super().__init__()
        self.past_norm = nn.LayerNorm(width)
        self.past_attention = MultiHeadAttention(width, heads)
        self.attention_norm = nn.LayerNorm(width)
        self.attention = MultiHeadAttention(width, heads)
        self.feed_forward_norm = nn.LayerNorm(width)
        self.feed_forward = FeedForward(width, inner)

    def forward(
        self, x_BTD: Tensor, past: Past, ages_B: Tensor, source: Remembered, dropout: SharedDropout
    ) -> tuple[Tensor, Past, Tensor]:
        """T tokens that follow ``ages_B`` others: outputs [B, T, D], the past with them, and the
        attention weights [B, T, S] of the source.
        """
        normed_BTD = self.past_norm(x_BTD)
        new = self.past_attention.remember(normed_BTD)
        past = Past(*(_extended(old, fresh, ages_B) for old, fresh in zip(past, new, strict=True)))
        at_BT = positions_from(ages_B, x_BTD.shape[1])
        kept_P = torch.arange(past.keys_BPD.shape[1], device=x_BTD.device)
        found_BTD, _ = self.past_attention(normed_BTD, *past, kept_P <= at_BT.unsqueeze(2))
        x_BTD = x_BTD + dropout(found_BTD)
        found_BTD, weights_BTS = self.attention(self.attention_norm(x_BTD), *source)
        x_BTD = x_BTD + dropout(found_BTD)
        thought_BTD = self.feed_forward(self.feed_forward_norm(x_BTD))
        return x_BTD + dropout(thought_BTD), past, weights_BTS


def positions_from(ages_B: Tensor, count: int) -> Tensor:
    """The positions of the next ``count`` tokens of each row, [B, count]."""
    return ages_B.unsqueeze(1) + torch.arange(count, device=ages_B.device)


def _extended(past_BPD: Tensor, new_BTD: Tensor, ages_B: Tensor) -> Tensor:
    """The past with new entries behind each row's own; rows may be of different ages."""
    if past_BPD.shape[1] == 0:
        return new_BTD
    at_BT = positions_from(ages_B, new_BTD.shape[1])
    room = max(int(at_BT.max()) + 1 - past_BPD.shape[1], 0)
    roomy_BPD = nn.functional.pad(past_BPD, (0, 0, 0, room))
    return roomy_BPD.scatter(1, at_BT.unsqueeze(2).expand_as(new_BTD), new_BTD)


def _linear(inputs: int, outputs: int) -> nn.Linear:
    layer = nn.Linear(inputs, outputs)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
