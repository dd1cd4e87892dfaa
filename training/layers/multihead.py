"""Several looks at once: multi-head attention in the place of a single score.

Shapes: B sentences, S source positions, T queries of a sentence, M memory width, Q query width, A
width of all heads together.
"""

from __future__ import annotations

import torch
from torch import Tensor

from training.layers.attention import Attention
from training.layers.transformer import MultiHeadAttention

__all__ = ["HeadsAttention"]


class HeadsAttention(Attention):
    """The attention of Vaswani et al. 2017 (section 3.2.2), asked by the state of a recurrent
    decoder, as in RNMT+ (Chen et al. 2018, section 4); the context is as wide as the memory.
    """

    def __init__(self, query: int, memory: int, width: int, heads: int) -> None:
        super().__init__()
        self.heads = MultiHeadAttention(width, heads, asking=query, memory=memory)

    def keys(self, memory_BSM: Tensor) -> Tensor:
        """Keys and values side by side, [B, S, 2 A]."""
        return torch.cat(self.heads.remember(memory_BSM), dim=-1)

    def forward(
        self, query_BTQ: Tensor, memory_BSM: Tensor, keys_BSX: Tensor, mask_BS: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The context [B, T, M], and the mean of the heads' weights [B, T, S]."""
        del memory_BSM  # the values stand in its place
        keys_BSA, values_BSA = keys_BSX.chunk(2, dim=-1)
        context_BTM, weights_BTS = self.heads(query_BTQ, keys_BSA, values_BSA, mask_BS)
        return context_BTM, weights_BTS
