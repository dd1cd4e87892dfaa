"""What a model is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

__all__ = ["ModelConfig"]


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """The architecture: an encoder, a decoder, and the values of each.

    A recurrent encoder is ``encoder_hidden`` wide in one direction, a recurrent decoder
    ``decoder_hidden``. Layers of a Transformer and of a hybrid decoder are as wide as the
    ``embedding``. A ``next-symbol`` decoder is a recurrent one that also reads the source (encoder
    ``shared``): nothing is looked back at.
    """

    encoder: Literal["recurrent", "transformer", "shared"] = "recurrent"
    decoder: Literal["recurrent", "hybrid", "transformer", "next-symbol"] = "recurrent"
    cell: Literal["rnn", "lstm", "gru"] = "lstm"  # of a recurrent encoder or decoder
    embedding: int = 256
    heads: int = 4
    encoder_feed_forward: int = 1024
    decoder_feed_forward: int = 1024
    decoder_cell: Literal["lstm", "gru", "ssru"] = "ssru"  # of a hybrid decoder
    conditional: bool = False  # the (lowest) attending layer recurs once more behind its attention
    encoder_hidden: int = 256
    encoder_layers: int = 2
    bidirectional: bool = True
    decoder_hidden: int = 384
    decoder_layers: int = 2
    attention: Literal["none", "dot", "general", "additive", "multihead"] = "general"
    attention_width: int = 256  # additive and multihead only
    # Cells that a recurrent layer goes through in one time step; a conditional layer has two
    # anyhow.
    encoder_transitions: int = 1
    decoder_transitions: int = 1
    cell_norm: bool = False  # layer normalisation inside recurrent cells
    residual: bool = False  # recurrent layers above the lowest add to what they read
    tied_embeddings: bool = True  # source, target and output share one matrix
    dropout: float = 0.2  # of embeddings and between layers, one mask for all time steps
    output_dropout: float = 0.2  # of the read-out before the vocabulary
    word_dropout: float = 0.0  # of whole target words fed to the decoder
    source_word_dropout: float = 0.0  # of whole source words

    def validate(self) -> Iterator[str]:
        for name in (
            "heads",
            "encoder_feed_forward",
            "decoder_feed_forward",
            "embedding",
            "encoder_hidden",
            "encoder_layers",
            "decoder_hidden",
            "decoder_layers",
            "encoder_transitions",
            "decoder_transitions",
        ):
            if getattr(self, name) < 1:
                yield f"{name} must be at least 1, not {getattr(self, name)}"
        for name in ("dropout", "output_dropout", "word_dropout", "source_word_dropout"):
            if not 0 <= getattr(self, name) < 1:
                yield f"{name} must be in [0, 1), not {getattr(self, name)}"
        if (self.encoder == "shared") != (self.decoder == "next-symbol"):
            yield (
                "encoder 'shared' and decoder 'next-symbol' are one network, "
                f"not {self.encoder!r} and {self.decoder!r}"
            )
        wide_as_embedding = self.encoder == "transformer" or self.decoder in {
            "hybrid",
            "transformer",
        }
        if wide_as_embedding and self.embedding % (2 * max(self.heads, 1)):
            yield (
                f"embedding must be a multiple of 2 x heads ({2 * self.heads}), "
                f"not {self.embedding}"
            )
        if self.decoder == "transformer" and self.embedding % (8 * max(self.heads, 1)):
            yield (  # the width of a head that onnxruntime's attention with caches takes
                f"decoder 'transformer' needs embedding to be a multiple of 8 x heads "
                f"({8 * self.heads}), not {self.embedding}"
            )
        if self.decoder in {"hybrid", "transformer"} and self.memory_width != self.embedding:
            yield (
                f"decoder {self.decoder!r} needs a memory as wide as embedding ({self.embedding}), "
                f"not {self.memory_width}"
            )
        if self.decoder == "recurrent" and self.conditional and self.attention == "none":
            yield "conditional: there is nothing to recur behind without attention"
        if self.attention == "multihead" and self.attention_width % max(self.heads, 1):
            yield (
                f"attention 'multihead' needs attention_width to be a multiple of heads "
                f"({self.heads}), not {self.attention_width}"
            )
        if self.attention == "dot" and self.decoder_hidden != self.memory_width:
            yield (
                f"attention 'dot' needs decoder_hidden equal to the memory's width "
                f"{self.memory_width}, not {self.decoder_hidden}; "
                "'general' has a matrix between them"
            )

    @property
    def memory_width(self) -> int:
        """Of what the encoder knows at one position."""
        if self.encoder == "transformer":
            return self.embedding
        if self.encoder == "shared":
            return 1  # of zeros
        return self.encoder_hidden * (2 if self.bidirectional else 1)
