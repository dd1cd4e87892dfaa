"""What a training step minimises.

Shapes: B sentences, S source and T target positions, E embedding.
"""

from __future__ import annotations

from torch import Tensor

from service.bundle import SpecialIds
from training.data.batches import Batch
from training.layers import drop_words
from training.loss import smoothed_cross_entropy
from training.models import Seq2Seq

__all__ = ["batch_loss"]


def batch_loss(
    model: Seq2Seq, batch: Batch, special: SpecialIds, *, smoothing: float
) -> tuple[Tensor, Tensor]:
    """The smoothed cross-entropy of a batch, whole words left out as the model's config says, and
    the plain negative log-likelihood of a token (no gradient).
    """
    config, strength = model.config, model.strength
    source_BS = drop_words(batch.source_BS, config.source_word_dropout * strength, special)
    target_in_BT = drop_words(batch.target_in_BT, config.word_dropout * strength, special)
    readout_BTE = model(source_BS, batch.source_lengths_B, target_in_BT)
    return smoothed_cross_entropy(
        readout_BTE.flatten(0, 1),
        model.output.weight,
        model.output.bias,
        batch.target_out_BT.flatten(),
        smoothing=smoothing,
        ignore=special.pad,
    )
