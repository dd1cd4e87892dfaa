"""The arithmetic: one idea per file."""

from training.layers.attention import (
    AdditiveAttention,
    Attention,
    DotAttention,
    GeneralAttention,
)
from training.layers.bidirectional import BiRecurrent
from training.layers.conditional import Conditional
from training.layers.dropout import Dropout, SharedDropout, drop_words
from training.layers.hybrid import HybridBlock, HybridCell, Recurrence
from training.layers.multihead import HeadsAttention
from training.layers.recurrent import Recurrent, State
from training.layers.scores import make_attention
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
    "Dropout",
    "EncoderBlock",
    "FeedForward",
    "GeneralAttention",
    "HeadsAttention",
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
