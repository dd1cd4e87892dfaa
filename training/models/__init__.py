"""Architectures, put together from ``training.layers``: ``encode`` once, then ``step`` token by
token.
"""

from training.models.decoder import Decoder, DecoderState
from training.models.encoder import Encoded, Encoder
from training.models.ensemble import Ensemble
from training.models.hybrid_decoder import HybridDecoder
from training.models.next_symbol import NextSymbolDecoder, Reader
from training.models.seq2seq import Seq2Seq, make_model
from training.models.transformer_decoder import TransformerDecoder
from training.models.transformer_encoder import TransformerEncoder

__all__ = [
    "Decoder",
    "DecoderState",
    "Encoded",
    "Encoder",
    "Ensemble",
    "HybridDecoder",
    "NextSymbolDecoder",
    "Reader",
    "Seq2Seq",
    "TransformerDecoder",
    "TransformerEncoder",
    "make_model",
]
