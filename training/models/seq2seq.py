"""Encoder and decoder as one model.

Shapes: B sentences, S source and T target positions, E embedding, V vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.config import ModelConfig
from training.layers import Dropout
from training.models.decoder import Decoder, DecoderState
from training.models.encoder import Encoded, Encoder
from training.models.hybrid_decoder import HybridDecoder
from training.models.next_symbol import NextSymbolDecoder, Reader
from training.models.transformer_decoder import TransformerDecoder
from training.models.transformer_encoder import TransformerEncoder

__all__ = ["Seq2Seq", "make_model"]


_ENCODERS: dict[str, type[Encoder | TransformerEncoder]] = {
    "recurrent": Encoder,
    "transformer": TransformerEncoder,
}
_DECODERS: dict[str, type[Decoder | HybridDecoder | TransformerDecoder]] = {
    "recurrent": Decoder,
    "hybrid": HybridDecoder,
    "transformer": TransformerDecoder,
}


class Seq2Seq(nn.Module):
    """An encoder and a decoder, as the recipe has them: recurrent with attention (Bahdanau et al.
    2015) or a fixed context vector (Sutskever et al. 2014), a Transformer's, one of each, or one
    network that is both.

    With ``tied_embeddings`` source, target and output share one matrix (Press & Wolf 2017,
    three-way tying).
    """

    def __init__(self, config: ModelConfig, vocabulary_size: int) -> None:
        super().__init__()
        self.config = config
        self.strength = 1.0  # see `regularise`
        source = _embedding(vocabulary_size, config)
        target = source if config.tied_embeddings else _embedding(vocabulary_size, config)
        output = nn.Linear(config.embedding, vocabulary_size)
        nn.init.zeros_(output.bias)
        if config.tied_embeddings:
            output.weight = target.weight
        self.decoder: Decoder | HybridDecoder | TransformerDecoder | NextSymbolDecoder
        self.encoder: Encoder | TransformerEncoder | Reader
        if config.decoder == "next-symbol":
            self.decoder = NextSymbolDecoder(config, target, output)
            self.encoder = Reader(self.decoder)
        else:
            self.encoder = _ENCODERS[config.encoder](config, source)
            self.decoder = _DECODERS[config.decoder](config, target, output)

    def regularise(self, strength: float) -> None:
        """From now on leave out so much of what the config says, values and words: 0 is nothing, 1
        all of it.
        """
        self.strength = strength
        for module in self.modules():
            if isinstance(module, Dropout):
                module.strength = strength

    def encode(self, source_BS: Tensor, lengths_B: Tensor) -> Encoded:
        """Read the source. What stands behind a row's length changes nothing."""
        memory_BSM, mask_BS, summary_BM = self.encoder(source_BS, lengths_B)
        return Encoded(memory_BSM, self.decoder.keys(memory_BSM), mask_BS, summary_BM)

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


def _embedding(vocabulary_size: int, config: ModelConfig) -> nn.Embedding:
    embedding = nn.Embedding(vocabulary_size, config.embedding)
    # Where embeddings are multiplied by the root of their width, they are made smaller by it.
    scaled = config.encoder == "transformer" or config.decoder in {"hybrid", "transformer"}
    nn.init.normal_(embedding.weight, std=config.embedding**-0.5 if scaled else 0.1)
    return embedding
