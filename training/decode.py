"""Greedy decoding in torch: what the development set is scored with while a model trains.

The engine of ``service.decoding`` is what users get; this is only quick, and an oracle for the
exporter.

Shapes: B sentences, S source positions, T target positions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from service.bundle import SpecialIds
from training.config import EvaluationConfig
from training.data.batches import pad_rows
from training.models import Encoded, Seq2Seq

__all__ = ["greedy_decode", "length_limit"]


def length_limit(source_tokens: int, config: EvaluationConfig, max_tokens: int) -> int:
    """The most target tokens, eos included, for a source of ``source_tokens``: the rule of the
    manifest's defaults.
    """
    return min(
        max_tokens, math.ceil(config.max_length_ratio * source_tokens) + config.max_length_offset
    )


@torch.inference_mode()
def greedy_decode(
    model: Seq2Seq,
    sources: Sequence[NDArray[np.int64]],
    special: SpecialIds,
    limits: Sequence[int],
    *,
    batch: int = 128,
) -> list[list[int]]:
    """The likeliest token at every step, until eos or each sentence's own limit.

    Returns:
        Ids without eos, in the order of ``sources``.
    """
    outputs: list[list[int]] = [[] for _ in sources]
    order = sorted(range(len(sources)), key=lambda i: len(sources[i]))
    for start in range(0, len(order), batch):
        chosen = order[start : start + batch]
        decoded = _decode_batch(
            model, [sources[i] for i in chosen], special, max(limits[i] for i in chosen)
        )
        for index, ids in zip(chosen, decoded, strict=True):
            outputs[index] = ids[: limits[index]]
    return outputs


def _decode_batch(
    model: Seq2Seq, sources: Sequence[NDArray[np.int64]], special: SpecialIds, limit: int
) -> list[list[int]]:
    device = model.output.weight.device
    lengths_B = torch.tensor([len(source) for source in sources], device=device)
    encoded = model.encode(pad_rows(sources, special.pad).to(device), lengths_B)
    state = model.initial_state(encoded)
    tokens_B = torch.full((len(sources),), special.bos, device=device)
    rows_B = torch.arange(len(sources), device=device)  # which sentence each live row is
    outputs: list[list[int]] = [[] for _ in sources]
    for _ in range(limit):
        scores_BV, state, _ = model.step(tokens_B, state, encoded)
        tokens_B = scores_BV.argmax(-1)
        alive_B = tokens_B != special.eos
        rows_B, tokens_B = rows_B[alive_B], tokens_B[alive_B]
        if not len(rows_B):
            break
        for row, token in zip(rows_B.tolist(), tokens_B.tolist(), strict=True):
            outputs[row].append(token)
        encoded = Encoded(*(part[alive_B] for part in encoded))
        state = model.decoder.stacked([part[alive_B] for part in state.flat])
    return outputs
