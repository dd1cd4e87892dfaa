"""The parts of a Transformer (Vaswani et al. 2017), pre-norm: each part reads what is normalised
(Xiong et al. 2020), which trains without a long warm-up.

Shapes: B sentences, S positions of the memory, T queries of a sentence, D width, H heads, X width
of a head.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from training.layers.dropout import SharedDropout

__all__ = ["EncoderBlock", "FeedForward", "MultiHeadAttention", "sinusoids"]


def sinusoids(positions: int, width: int) -> Tensor:
    """Sines and cosines of falling frequency, [positions, width]; ``width`` is even (section
    3.5).
    """
    rates_D = torch.exp(torch.arange(0, width, 2) * (-math.log(10_000.0) / width))
    angles_SD = torch.arange(positions).unsqueeze(1) * rates_D
    return torch.stack([angles_SD.sin(), angles_SD.cos()], dim=-1).flatten(1)


class MultiHeadAttention(nn.Module):
    """softmax(Q K^T / sqrt(D / H)) V in H subspaces (section 3.2.2)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = _linear(width, width)
        self.key = _linear(width, width)
        self.value = _linear(width, width)
        self.out = _linear(width, width)

    def remember(self, memory_BSD: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values [B, S, D]: what every query of a sentence reads."""
        return self.key(memory_BSD), self.value(memory_BSD)

    def forward(
        self, x_BTD: Tensor, keys_BSD: Tensor, values_BSD: Tensor, mask_BS: Tensor
    ) -> tuple[Tensor, Tensor]:
        """What was found [B, T, D], and where: weights [B, T, S], the mean of the heads.

        ``mask_BS`` is True at positions that may be looked at.
        """
        query_BHTX = self._split(self.query(x_BTD))
        scores_BHTS = query_BHTX @ self._split(keys_BSD).transpose(2, 3)
        scores_BHTS = scores_BHTS.float() / math.sqrt(query_BHTX.shape[-1])
        scores_BHTS = scores_BHTS.masked_fill(~mask_BS[:, None, None], -torch.inf)
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


def _linear(inputs: int, outputs: int) -> nn.Linear:
    layer = nn.Linear(inputs, outputs)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
