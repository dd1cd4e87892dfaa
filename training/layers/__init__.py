"""The arithmetic: one idea per file."""

from training.layers.attention import (
    AdditiveAttention,
    Attention,
    DotAttention,
    GeneralAttention,
    make_attention,
)
from training.layers.dropout import SharedDropout, drop_words
from training.layers.hybrid import HybridBlock, HybridCell, Recurrence, Remembered
from training.layers.recurrent import BiRecurrent, Recurrent, State
from training.layers.ssru import Ssru
from training.layers.transformer import EncoderBlock, FeedForward, MultiHeadAttention, sinusoids

__all__ = [
    "AdditiveAttention",
    "Attention",
    "BiRecurrent",
    "DotAttention",
    "EncoderBlock",
    "FeedForward",
    "GeneralAttention",
    "HybridBlock",
    "HybridCell",
    "MultiHeadAttention",
    "Recurrence",
    "Recurrent",
    "Remembered",
    "SharedDropout",
    "Ssru",
    "State",
    "drop_words",
    "make_attention",
    "sinusoids",
]
