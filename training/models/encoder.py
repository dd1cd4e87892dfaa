"""The encoder: source ids -> one memory vector per position, and the summary that the decoder
starts from.

Shapes: B sentences, S source positions, E embedding, M memory width (both directions together).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from training.config import ModelConfig
from training.layers import BiRecurrent, SharedDropout

__all__ = ["Encoded", "Encoder"]


class Encoded(NamedTuple):
    """Everything that decoding needs to know of a source sentence."""

    memory_BSM: Tensor
    keys_BSX: Tensor  # what the decoder's attention needs of the memory
    mask_BS: Tensor  # True at real positions
    summary_BM: Tensor  # all of it in one vector (the context of Sutskever et al. 2014)


class Encoder(nn.Module):
    """A stack of (bi)recurrent layers over the source embeddings."""

    def __init__(self, config: ModelConfig, embedding: nn.Embedding) -> None:
        super().__init__()
        self.embedding = embedding
        widths = [config.embedding] + [config.memory_width] * (config.encoder_layers - 1)
        self.layers = nn.ModuleList(
            BiRecurrent(
                config.cell,
                width,
                config.encoder_hidden,
                bidirectional=config.bidirectional,
                depth=config.encoder_transitions,
                normed=config.cell_norm,
            )
            for width in widths
        )
        self.dropout = SharedDropout(config.dropout)
        self.hidden = config.encoder_hidden
        self.residual = config.residual

    @property
    def recurrent(self) -> list[BiRecurrent]:
        """The layers, bottom first."""
        return [layer for layer in self.layers if isinstance(layer, BiRecurrent)]

    def forward(self, source_BS: Tensor, lengths_B: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Memory [B, S, M] with zeros at padded positions, its mask [B, S], and the summary [B,
        M]: the last state of each direction.
        """
        x_SBD = self.embedding(source_BS.t())
        for index, layer in enumerate(self.layers):
            y_SBM = layer(self.dropout(x_SBD), lengths_B)
            # The lowest layer's input is of another kind and width (Wu et al. 2016, section 3.1).
            x_SBD = x_SBD + y_SBM if self.residual and index > 0 else y_SBM
        mask_BS = torch.arange(source_BS.shape[1], device=source_BS.device) < lengths_B.unsqueeze(1)
        memory_BSM = x_SBD.transpose(0, 1) * mask_BS.unsqueeze(-1).to(x_SBD.dtype)
        return memory_BSM, mask_BS, self._summary(y_SBM, lengths_B)

    def _summary(self, y_SBM: Tensor, lengths_B: Tensor) -> Tensor:
        """The forward layer ends at the last real position, the backward layer at the first."""
        rows_B = torch.arange(len(lengths_B), device=lengths_B.device)
        ahead_BH = y_SBM[lengths_B - 1, rows_B, : self.hidden]
        return torch.cat([ahead_BH, y_SBM[0, :, self.hidden :]], dim=-1)
