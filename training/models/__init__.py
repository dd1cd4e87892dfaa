"""Architectures, put together from ``training.layers``: ``encode`` once, then ``step`` token by
token.
"""

from training.models.decoder import Decoder, DecoderState
from training.models.encoder import Encoded, Encoder
from training.models.seq2seq import Seq2Seq, make_model

__all__ = ["Decoder", "DecoderState", "Encoded", "Encoder", "Seq2Seq", "make_model"]
