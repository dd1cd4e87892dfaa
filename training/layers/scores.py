"""From a recipe's word to an attention."""

from __future__ import annotations

from training.config import ModelConfig
from training.layers.attention import (
    AdditiveAttention,
    Attention,
    DotAttention,
    GeneralAttention,
)
from training.layers.multihead import HeadsAttention

__all__ = ["make_attention"]


def make_attention(config: ModelConfig) -> Attention | None:
    """The attention that a recipe names; None is the fixed context vector."""
    match config.attention:
        case "none":
            return None
        case "dot":
            return DotAttention()
        case "general":
            return GeneralAttention(config.decoder_hidden, config.memory_width)
        case "additive":
            return AdditiveAttention(
                config.decoder_hidden, config.memory_width, config.attention_width
            )
        case "multihead":
            return HeadsAttention(
                config.decoder_hidden, config.memory_width, config.attention_width, config.heads
            )
