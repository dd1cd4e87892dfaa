"""Attention maps: for each token that a model says, where in the source it looked.

Shapes: S source positions, T target positions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from service.bundle import SpecialIds, Tokenizer
from training.decode import greedy_decode
from training.models import Seq2Seq

__all__ = ["attention_map"]


@torch.inference_mode()
def attention_map(
    model: Seq2Seq,
    source: NDArray[np.int64],
    tokenizer: Tokenizer,
    special: SpecialIds,
    limit: int,
) -> dict[str, Any]:
    """What ``model`` says to ``source`` (ids with eos), greedily, and the weights [T, S] of its
    attention; each row sums to 1. The last row is that of eos.
    """
    (said,) = greedy_decode(model, [source], special, [limit])
    source_1S = torch.from_numpy(source).unsqueeze(0)
    target_1T = torch.tensor([[special.bos, *said]])
    encoded = model.encode(source_1S, torch.tensor([len(source)]))
    _, _, weights_1TS = model.decoder(target_1T, model.initial_state(encoded), encoded)
    return {
        "source": tokenizer.pieces(source.tolist()),
        "target": tokenizer.pieces([*said, special.eos]),
        "weights": np.round(weights_1TS[0].double().numpy(), 4).tolist(),
    }
