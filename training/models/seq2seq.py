"""Encoder and decoder as one model.

Shapes: B sentences, S source and T target positions, E embedding, V vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.config import ModelConfig
from training.models.decoder import Decoder, DecoderState
from training.models.encoder import Encoded, Encoder

__all__ = ["Seq2Seq", "make_model"]


class Seq2Seq(nn.Module):
    """RNN encoder-decoder with attention (Bahdanau et al. 2015) or a fixed context vector
    (Sutskever et al. 2014).

    With ``tied_embeddings`` source, target and output share one matrix (Press & Wolf 2017,
    three-way tying).
    """

    def __init__(self, config: ModelConfig, vocabulary_size: int) -> None:
        super().__init__()
        self.config = config
        source = _embedding(vocabulary_size, config.embedding)
        target = source if config.tied_embeddings else _embedding(vocabulary_size, config.embedding)
        output = nn.Linear(config.embedding, vocabulary_size)
        nn.init.zeros_(output.bias)
        if config.tied_embeddings:
            output.weight = target.weight
        self.encoder = Encoder(config, source)
        self.decoder = Decoder(config, target, output)

    def encode(self, source_BS: Tensor, lengths_B: Tensor) -> Encoded:
        """Read the source. What stands behind a row's length changes nothing."""
        memory_BSM, mask_BS, summary_BM = self.encoder(source_BS, lengths_B)
        attention = self.decoder.attention
        keys_BSX = memory_BSM if attention is None else attention.keys(memory_BSM)
        return Encoded(memory_BSM, keys_BSX, mask_BS, summary_BM)

    def initial_state(self, encoded: Encoded) -> DecoderState:
        return self.decoder.initial_state(encoded)

    def step(
        self, tokens_B: Tensor, state: DecoderState, encoded: Encoded
    ) -> tuple[Tensor, DecoderState, Tensor | None]:
        """Scores [B, V] of the next token, the next state, and the attention weights [B, S]."""
        return self.decoder.step(tokens_B, state, encoded)

    def forward(self, source_BS: Tensor, lengths_B: Tensor, target_BT: Tensor) -> Tensor:
        """Teacher forcing: the read-outs [B, T, E] that predict what follows each given target
        token.
        """
        encoded = self.encode(source_BS, lengths_B)
        readout_BTE, _, _ = self.decoder(target_BT, self.initial_state(encoded), encoded)
        return readout_BTE

    @property
    def output(self) -> nn.Linear:
        return self.decoder.output


def make_model(config: ModelConfig, vocabulary_size: int, seed: int) -> Seq2Seq:
    """A model with fresh weights that the seed decides."""
    torch.manual_seed(seed)
    return Seq2Seq(config, vocabulary_size)


def _embedding(vocabulary_size: int, width: int) -> nn.Embedding:
    embedding = nn.Embedding(vocabulary_size, width)
    nn.init.normal_(embedding.weight, std=0.1)
    return embedding
