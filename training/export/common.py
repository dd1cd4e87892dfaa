"""Pieces that the graphs of several architectures share.

Shapes: B sentences, S source positions, R rows, G slots of a sentence, D width.
"""

from __future__ import annotations

import numpy as np
from torch import nn

from training.export.arithmetic import Arithmetic
from training.export.builder import CONTRIB, GraphBuilder
from training.export.interface import array

__all__ = ["layer_norm", "linear", "positions", "products", "real_positions", "rows_of_slots"]


def linear(g: GraphBuilder, arithmetic: Arithmetic, x: str, layer: nn.Linear, place: str) -> str:
    """The layer, as ``arithmetic`` multiplies; ``place`` is its name in the model."""
    bias = dict(layer.named_parameters()).get("bias")  # typed as if it could not be missing
    bias_O = None if bias is None else array(bias)
    return arithmetic.linear(g, x, array(layer.weight), bias_O, place)


def layer_norm(g: GraphBuilder, x: str, norm: nn.LayerNorm) -> str:
    """Ba et al. 2016, over the last axis."""
    scale, bias = (g.constant(array(part), "norm") for part in (norm.weight, norm.bias))
    return g.op("LayerNormalization", x, scale, bias, axis=-1, epsilon=norm.eps)


def positions(g: GraphBuilder, value_BSx: str, axes: list[int]) -> str:
    """0, 1, ... S-1, with axes of size 1 inserted at ``axes``."""
    zero, one = (g.constant(np.array(i, np.int64), "scalar") for i in (0, 1))
    count = g.op("Squeeze", g.op("Shape", value_BSx, start=1, end=2), g.ints(0))
    counted = g.op("Range", zero, count, one)
    return g.op("Unsqueeze", counted, g.ints(*axes)) if axes else counted


def real_positions(g: GraphBuilder, value_BSx: str, lengths_B: str) -> str:
    """True before the end of each sentence, [B, 1, S]."""
    return g.op("Less", positions(g, value_BSx, []), g.op("Unsqueeze", lengths_B, g.ints(1, 2)))


def rows_of_slots(g: GraphBuilder, value_BGX: str, slot_of_R: str) -> str:
    """[B, G, X] -> [R, X], each row from its slot."""
    return g.op("Gather", g.op("Flatten", value_BGX, axis=2), slot_of_R)


def products(g: GraphBuilder, matrix_BSX: str, rows_BGY: str, *, transposed: bool) -> str:
    """Matrix x row for each slot of each sentence: [B, G, S], or with the matrix ``transposed`` [B,
    G, X].

    One product with a column vector for each slot, the sentence's matrix shared by all of them. One
    product for all G slots at once would sum in an order that depends on G and on how far S is
    padded: a hypothesis would get other bits in a wide beam than in a narrow one, and beside long
    sentences other ones than alone.
    """
    columns_BGY1 = g.op("Unsqueeze", rows_BGY, g.ints(3))
    matrix_B1SX = g.op("Unsqueeze", matrix_BSX, g.ints(1))
    found = g.op("FusedMatMul", matrix_B1SX, columns_BGY1, domain=CONTRIB, transA=int(transposed))
    return g.op("Squeeze", found, g.ints(3))
