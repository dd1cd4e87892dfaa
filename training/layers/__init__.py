"""The arithmetic: one idea per file."""

from training.layers.attention import (
    AdditiveAttention,
    Attention,
    DotAttention,
    GeneralAttention,
    make_attention,
)
from training.layers.dropout import SharedDropout, drop_words
from training.layers.recurrent import BiRecurrent, Recurrent, State

__all__ = [
    "AdditiveAttention",
    "Attention",
    "BiRecurrent",
    "DotAttention",
    "GeneralAttention",
    "Recurrent",
    "SharedDropout",
    "State",
    "drop_words",
    "make_attention",
]
