"""What the manifest tells people of a model's architecture: words, nothing that a program reads."""

from __future__ import annotations

from collections.abc import Sequence

from training.config import ModelConfig
from training.models import Seq2Seq

__all__ = ["described", "described_together"]


def described(config: ModelConfig) -> dict[str, str | int | float | bool]:
    """The family, and each side in a few words."""
    if config.decoder == "next-symbol":
        return {
            "family": "next-symbol model",
            "cell": _cell(config),
            "layers": f"{config.decoder_layers} x {config.decoder_hidden}"
            + _deep(config.decoder_transitions),
        }
    family = {
        ("recurrent", "recurrent"): "recurrent encoder-decoder",
        ("transformer", "hybrid"): "Transformer encoder, hybrid decoder",
        ("transformer", "transformer"): "Transformer",
    }.get((config.encoder, config.decoder), f"{config.encoder} encoder, {config.decoder} decoder")
    return {"family": family, **_encoder(config), **_decoder(config)}


def described_together(members: Sequence[Seq2Seq]) -> dict[str, str | int | float | bool]:
    """An ensemble: how many answer together, and what each is."""
    each = {
        f"member {number}": ", ".join(f"{k} {v}" for k, v in described(member.config).items())
        for number, member in enumerate(members, 1)
    }
    return {"family": f"ensemble of {len(members)}", **each}


def _encoder(config: ModelConfig) -> dict[str, str | int | float | bool]:
    if config.encoder == "transformer":
        return {
            "encoder": f"{config.encoder_layers} x {config.embedding}, {config.heads} heads, "
            f"feed-forward {config.encoder_feed_forward}"
        }
    sides = " in each direction" if config.bidirectional else ""
    return {
        "cell": _cell(config),
        "encoder": f"{config.encoder_layers} x {config.encoder_hidden}{sides}"
        + _deep(config.encoder_transitions)
        + _residual(config, config.encoder_layers),
    }


def _decoder(config: ModelConfig) -> dict[str, str | int | float | bool]:
    if config.decoder == "transformer":
        return {
            "decoder": f"{config.decoder_layers} x {config.embedding}, {config.heads} heads, "
            f"feed-forward {config.decoder_feed_forward}"
        }
    if config.decoder == "hybrid":
        twice = ", recurring again behind the attention" if config.conditional else ""
        return {
            "decoder": f"{config.decoder_layers} x {config.embedding} {config.decoder_cell}"
            f"{twice}, {config.heads} heads, feed-forward {config.decoder_feed_forward}"
        }
    twice = ", the lowest conditional" if config.conditional else ""
    return {
        "cell": _cell(config),
        "attention": config.attention
        + (f", {config.heads} heads" if config.attention == "multihead" else ""),
        "decoder": f"{config.decoder_layers} x {config.decoder_hidden}"
        + twice
        + _deep(config.decoder_transitions)
        + _residual(config, config.decoder_layers),
    }


def _cell(config: ModelConfig) -> str:
    return f"{config.cell}, normalised" if config.cell_norm else config.cell


def _deep(cells: int) -> str:
    return f", {cells} cells a step" if cells > 1 else ""


def _residual(config: ModelConfig, layers: int) -> str:
    return ", residual" if config.residual and layers > 1 else ""
