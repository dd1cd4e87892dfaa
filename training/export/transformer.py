"""The Transformer's parts as graphs: the whole encoder, and attention and feed-forward for a step.

Shapes: B sentences, S source positions, R rows, G slots of a sentence, D width, H heads, X width of
a head.
"""

from __future__ import annotations

import math

import numpy as np

from training.export.arithmetic import Arithmetic
from training.export.builder import CONTRIB, GraphBuilder
from training.export.common import layer_norm, linear, positions, real_positions
from training.export.interface import Attended, Encoded, array
from training.layers import EncoderBlock, FeedForward, MultiHeadAttention
from training.models import TransformerEncoder

__all__ = [
    "TransformerEncoderGraph",
    "emit_cross_attention",
    "emit_feed_forward",
    "emit_projections",
    "emit_sinusoids",
]


class TransformerEncoderGraph:
    """``models.transformer_encoder`` again."""

    def __init__(self, encoder: TransformerEncoder, arithmetic: Arithmetic) -> None:
        self._encoder = encoder
        self._arithmetic = arithmetic

    def emit(self, g: GraphBuilder, source_BS: str, lengths_B: str) -> Encoded:
        """Memory and its mean."""
        encoder = self._encoder
        table = array(encoder.embedding.weight)
        words_BSD = self._arithmetic.lookup(g, source_BS, table, encoder.scale)
        at_S = positions(g, source_BS, [])
        x_BSD = g.op("Add", words_BSD, emit_sinusoids(g, at_S, table.shape[1]))
        real_B1S = real_positions(g, source_BS, lengths_B)
        zero, never = (g.constant(np.array(v, np.float32), "mask") for v in (0, -np.inf))
        mask_B11S = g.op("Unsqueeze", g.op("Where", real_B1S, zero, never), g.ints(1))
        for index, block in enumerate(encoder.blocks):
            assert isinstance(block, EncoderBlock)
            x_BSD = self._block(g, block, f"encoder.blocks.{index}", x_BSD, mask_B11S)
        real_BS1 = g.op("Cast", g.op("Transpose", real_B1S, perm=[0, 2, 1]), to=1)
        memory_BSD = g.op("Mul", layer_norm(g, x_BSD, encoder.norm), real_BS1)
        return Encoded(memory_BSD, self._mean(g, memory_BSD, real_B1S, lengths_B))

    def _mean(self, g: GraphBuilder, memory_BSD: str, real_B1S: str, lengths_B: str) -> str:
        """The mean over the real positions [B, D].

        As a product, and one of two equal rows: a reduction sums in another order when there is
        only one sentence, and so does a product of one row.
        """
        share_B11 = g.op(
            "Reciprocal", g.op("Unsqueeze", g.op("Cast", lengths_B, to=1), g.ints(1, 2))
        )
        weights_B1S = g.op("Mul", g.op("Cast", real_B1S, to=1), share_B11)
        twice_B2S = g.op("Concat", weights_B1S, weights_B1S, axis=1)
        both_B2D = g.op("MatMul", twice_B2S, memory_BSD)
        return g.op("Squeeze", g.op("Gather", both_B2D, g.ints(0), axis=1), g.ints(1))

    def _block(
        self, g: GraphBuilder, block: EncoderBlock, name: str, x_BSD: str, mask_B11S: str
    ) -> str:
        normed_BSD = layer_norm(g, x_BSD, block.attention_norm)
        found_BSD = self._attention(g, block.attention, f"{name}.attention", normed_BSD, mask_B11S)
        x_BSD = g.op("Add", x_BSD, found_BSD)
        normed_BSD = layer_norm(g, x_BSD, block.feed_forward_norm)
        thought_BSD = emit_feed_forward(
            g, self._arithmetic, block.feed_forward, f"{name}.feed_forward", normed_BSD
        )
        return g.op("Add", x_BSD, thought_BSD)

    def _attention(
        self, g: GraphBuilder, attention: MultiHeadAttention, name: str, x_BSD: str, mask_B11S: str
    ) -> str:
        """All positions ask, of all positions."""
        width = attention.query.out_features
        heads = g.ints(0, 0, attention.heads, width // attention.heads)
        query_BHSX, keys_BHSX, values_BHSX = (
            g.op("Transpose", g.op("Reshape", part_BSD, heads), perm=[0, 2, 1, 3])
            # Three products of so many rows cost what one does, without splitting it.
            for part_BSD in (
                linear(g, self._arithmetic, x_BSD, attention.query, f"{name}.query"),
                linear(g, self._arithmetic, x_BSD, attention.key, f"{name}.key"),
                linear(g, self._arithmetic, x_BSD, attention.value, f"{name}.value"),
            )
        )
        scale = 1 / math.sqrt(width // attention.heads)
        scores_BHSS = g.op(
            "FusedMatMul", query_BHSX, keys_BHSX, domain=CONTRIB, transB=1, alpha=scale
        )
        weights_BHSS = g.op("Softmax", g.op("Add", scores_BHSS, mask_B11S), axis=-1)
        found_BHSX = g.op("MatMul", weights_BHSS, values_BHSX)
        found_BSHX = g.op("Transpose", found_BHSX, perm=[0, 2, 1, 3])
        found_BSD = g.op("Reshape", found_BSHX, g.ints(0, 0, width))
        return linear(g, self._arithmetic, found_BSD, attention.out, f"{name}.out")


def emit_projections(
    g: GraphBuilder, arithmetic: Arithmetic, attention: MultiHeadAttention, name: str, x: str
) -> str:
    """Queries, keys and values of the same positions side by side, as one product."""
    parts = (attention.query, attention.key, attention.value)
    weight = np.concatenate([array(part.weight) for part in parts])
    bias = np.concatenate([array(part.bias) for part in parts])
    return arithmetic.linear(g, x, weight, bias, f"{name}.query")


def emit_feed_forward(
    g: GraphBuilder, arithmetic: Arithmetic, layer: FeedForward, name: str, x: str
) -> str:
    """At any number of positions."""
    inner = linear(g, arithmetic, x, layer.inner, f"{name}.inner")
    active = arithmetic.rectify(g, inner, f"{name}.outer")
    return linear(g, arithmetic, active, layer.outer, f"{name}.outer")


def emit_cross_attention(
    g: GraphBuilder,
    arithmetic: Arithmetic,
    attention: MultiHeadAttention,
    name: str,
    x_RD: str,
    source: Attended,
) -> tuple[str, str]:
    """What each row finds in its sentence [R, D], and where [R, S], the mean of the heads.

    ``source.memories`` is keys and values. A head's query is the whole query with the other heads'
    places set to 0, so that keys and values are read as they lie in memory and all heads of all
    slots are the rows of one product for each sentence. The zeros cost next to nothing, splitting
    the keys at every step costs more than all the rest. There are never fewer than two rows, an
    only head asks twice: a single row is multiplied by another kernel, which sums in another order.
    """
    width, heads = attention.query.out_features, max(attention.heads, 2)
    own = np.kron(np.eye(attention.heads), np.ones(width // attention.heads)).astype(np.float32)
    own_HD = g.constant(np.resize(own, (heads, width)), "heads")
    query_RD = linear(g, arithmetic, x_RD, attention.query, f"{name}.query")
    query_BGD = g.op("Gather", query_RD, source.slots_BG)
    query_BGHD = g.op("Mul", g.op("Unsqueeze", query_BGD, g.ints(2)), own_HD)
    query_BYD = g.op("Reshape", query_BGHD, g.ints(0, -1, width))  # Y = G x H
    keys_BSD, values_BSD = source.memories
    width_of_head = width // attention.heads
    scale = 1 / math.sqrt(width_of_head)
    scores_BYS = g.op("FusedMatMul", query_BYD, keys_BSD, domain=CONTRIB, transB=1, alpha=scale)
    mask_B1S = _mask(g, real_positions(g, keys_BSD, source.lengths_B))
    weights_BYS = g.op("Softmax", g.op("Add", scores_BYS, mask_B1S), axis=-1)
    found_BYD = g.op("MatMul", weights_BYS, values_BSD)
    # Of what a head found its own places count: block h of H for head h. Here P = B x G.
    blocks_PXX = g.op("Reshape", found_BYD, g.ints(-1, heads * attention.heads, width_of_head))
    own_PHX = g.op(
        "Gather", blocks_PXX, g.ints(*range(0, attention.heads**2, attention.heads + 1)), axis=1
    )
    found_RD = g.op("Gather", g.op("Flatten", own_PHX, axis=1), source.slot_of_R)
    weights_PHS = g.op("Reshape", weights_BYS, g.ints(-1, heads, 0))
    weights_PS = g.op("ReduceMean", weights_PHS, g.ints(1), keepdims=0)
    weights_RS = g.op("Gather", weights_PS, source.slot_of_R)
    return linear(g, arithmetic, found_RD, attention.out, f"{name}.out"), weights_RS


def _mask(g: GraphBuilder, real: str) -> str:
    """To be added to scores: 0 at real positions, minus infinity elsewhere."""
    zero, never = (g.constant(np.array(v, np.float32), "mask") for v in (0, -np.inf))
    return g.op("Where", real, zero, never)


def emit_sinusoids(g: GraphBuilder, at_S: str, width: int) -> str:
    """``layers.sinusoids`` of positions, [S, D]."""
    rates = np.exp(np.arange(0, width, 2) * (-math.log(10_000.0) / width)).astype(np.float32)
    at_S1 = g.op("Unsqueeze", g.op("Cast", at_S, to=1), g.ints(1))
    angles_SX1 = g.op("Unsqueeze", g.op("Mul", at_S1, g.constant(rates, "rates")), g.ints(2))
    pairs = g.op("Concat", g.op("Sin", angles_SX1), g.op("Cos", angles_SX1), axis=-1)
    return g.op("Reshape", pairs, g.ints(0, -1))
