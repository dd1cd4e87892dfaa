"""Attention: where in the source to look. Score, softmax, weighted sum.

Shapes: B sentences, S source positions, T queries of a sentence, M memory width, Q query width, A
width of the additive score's hidden layer.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["AdditiveAttention", "Attention", "DotAttention", "GeneralAttention"]


class Attention(nn.Module):
    """score(query, memory) -> softmax over the real positions -> weighted sum of the memory.

    ``keys`` is what a score needs of the memory; it is computed once for each sentence.
    """

    def keys(self, memory_BSM: Tensor) -> Tensor:
        return memory_BSM

    def scores(self, query_BTQ: Tensor, keys_BSX: Tensor) -> Tensor:
        """How well each position answers each query, [B, T, S]."""
        raise NotImplementedError

    def forward(
        self, query_BTQ: Tensor, memory_BSM: Tensor, keys_BSX: Tensor, mask_BS: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The context [B, T, M] and the weights [B, T, S]. ``mask_BS`` is True at real
        positions.
        """
        scores_BTS = self.scores(query_BTQ, keys_BSX).float()
        scores_BTS = scores_BTS.masked_fill(~mask_BS.unsqueeze(1), -torch.inf)
        weights_BTS = scores_BTS.softmax(-1)
        return torch.bmm(weights_BTS.to(memory_BSM.dtype), memory_BSM), weights_BTS


class DotAttention(Attention):
    """q . m (Luong et al. 2015, eq. 8, "dot"); query and memory have the same width."""

    def scores(self, query_BTQ: Tensor, keys_BSX: Tensor) -> Tensor:
        return torch.bmm(query_BTQ, keys_BSX.transpose(1, 2))


class GeneralAttention(Attention):
    """q W m (Luong et al. 2015, eq. 8, "general"); W is applied to the query, which is the shorter
    side.
    """

    def __init__(self, query: int, memory: int) -> None:
        super().__init__()
        self.query = nn.Linear(query, memory, bias=False)

    def scores(self, query_BTQ: Tensor, keys_BSX: Tensor) -> Tensor:
        return torch.bmm(self.query(query_BTQ), keys_BSX.transpose(1, 2))


class AdditiveAttention(Attention):
    """v . tanh(W q + U m) (Bahdanau et al. 2015, appendix A.1.2)."""

    def __init__(self, query: int, memory: int, width: int) -> None:
        super().__init__()
        self.query = nn.Linear(query, width, bias=False)
        self.memory = nn.Linear(memory, width)
        self.energy = nn.Linear(width, 1, bias=False)

    def keys(self, memory_BSM: Tensor) -> Tensor:
        return torch.as_tensor(self.memory(memory_BSM))

    def scores(self, query_BTQ: Tensor, keys_BSX: Tensor) -> Tensor:
        hidden_BTSA = torch.tanh(self.query(query_BTQ).unsqueeze(2) + keys_BSX.unsqueeze(1))
        return torch.as_tensor(self.energy(hidden_BTSA).squeeze(-1))
