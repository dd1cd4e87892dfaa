"""The Transformer's encoder (Vaswani et al. 2017, section 3.1), pre-norm.

Shapes: B sentences, S source positions, D width.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from training.config import ModelConfig
from training.layers import EncoderBlock, SharedDropout, sinusoids

__all__ = ["TransformerEncoder"]


class TransformerEncoder(nn.Module):
    """Embeddings and positions, a stack of blocks, a last normalisation."""

    def __init__(self, config: ModelConfig, embedding: nn.Embedding) -> None:
        super().__init__()
        self.embedding = embedding
        self.scale = math.sqrt(config.embedding)
        self.blocks = nn.ModuleList(
            EncoderBlock(
                config.embedding, config.heads, config.encoder_feed_forward, config.dropout
            )
            for _ in range(config.encoder_layers)
        )
        self.norm = nn.LayerNorm(config.embedding)
        self.dropout = SharedDropout(config.dropout, time=1)

    def forward(self, source_BS: Tensor, lengths_B: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Memory [B, S, D] with zeros at padded positions, its mask [B, S], and the mean of it [B,
        D].
        """
        positions = source_BS.shape[1]
        x_BSD = self.embedding(source_BS) * self.scale
        x_BSD = self.dropout(x_BSD + sinusoids(positions, x_BSD.shape[-1]).to(x_BSD))
        mask_BS = torch.arange(positions, device=source_BS.device) < lengths_B.unsqueeze(1)
        for block in self.blocks:
            x_BSD = block(x_BSD, mask_BS)
        memory_BSD = self.norm(x_BSD) * mask_BS.unsqueeze(-1)
        return memory_BSD, mask_BS, memory_BSD.sum(1) / lengths_B.unsqueeze(1)
