"""The arithmetic: one idea per file."""

from training.layers.attention import (
    AdditiveAttention,
    Attention,
    DotAttention,
    GeneralAttention,
    make_attention,
)
from training.layers.bidirectional import BiRecurrent
from training.layers.conditional import Conditional
from training.layers.dropout import SharedDropout, drop_words
from training.layers.hybrid import HybridBlock, HybridCell, Recurrence
from training.layers.recurrent import Recurrent, State
from training.layers.ssru import Ssru
from training.layers.transformer import (
    DecoderBlock,
    EncoderBlock,
    FeedForward,
    MultiHeadAttention,
    Past,
    Remembered,
    positions_from,
    sinusoids,
)
from training.layers.transition import DeepRecurrent, RecurrentLayer, make_recurrent

__all__ = [
    "AdditiveAttention",
    "Attention",
    "BiRecurrent",
    "Conditional",
    "DecoderBlock",
    "DeepRecurrent",
    "DotAttention",
    "EncoderBlock",
    "FeedForward",
    "GeneralAttention",
    "HybridBlock",
    "HybridCell",
    "MultiHeadAttention",
    "Past",
    "Recurrence",
    "Recurrent",
    "RecurrentLayer",
    "Remembered",
    "SharedDropout",
    "Ssru",
    "State",
    "drop_words",
    "make_attention",
    "make_recurrent",
    "positions_from",
    "sinusoids",
]
