"""The first part: how far gradients reach in a recurrent layer by itself, before any training.

Shapes: T time steps, B rows, D input features.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from training.lab.plan import Sizes
from training.lab.reach import layer_reach
from training.layers import Recurrent
from training.layers.recurrent import Cell

__all__ = ["CELLS", "STARTS", "measure_gradients"]

CELLS: tuple[Cell, ...] = ("rnn", "lstm", "gru")
# Orthogonal recurrences, an LSTM that begins by remembering: as Parley trains. Uniform: torch's
# own, +-1/sqrt(width), as most networks were begun when the textbook was written.
STARTS = ("orthogonal", "uniform")
_ROWS, _FEATURES, _CLASSES = 16, 32, 10


def measure_gradients(sizes: Sizes, seed: int, tick: Callable[[], None]) -> dict[str, Any]:
    """For each start and cell, the geometric mean over seeds: ``norms[start][cell][k]``."""
    norms = {
        start: {cell: _reach(cell, start, sizes, seed, tick) for cell in CELLS} for start in STARTS
    }
    return {"width": sizes.reach_width, "seeds": sizes.reach_seeds, "norms": norms}


def _reach(
    cell: Cell, start: str, sizes: Sizes, seed: int, tick: Callable[[], None]
) -> list[float]:
    runs = []
    for offset in range(sizes.reach_seeds):
        torch.manual_seed(seed + offset)
        x_TBD = torch.randn(sizes.reach_steps + 1, _ROWS, _FEATURES)
        wanted_B = torch.randint(_CLASSES, (_ROWS,))
        layer = Recurrent(cell, _FEATURES, sizes.reach_width)
        if start == "uniform":
            layer.rnn.reset_parameters()
        readout = nn.Linear(sizes.reach_width, _CLASSES)
        runs.append(layer_reach(layer, x_TBD, readout, wanted_B))
        tick()
    # Norms of many orders of magnitude: an arithmetic mean would be that of the largest.
    return [
        statistics.geometric_mean([max(norm, 1e-45) for norm in at])
        for at in zip(*runs, strict=True)
    ]
