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
    """``models.transformer_encoder`` again, positions before sentences.

    So a head's queries, keys and values of a sentence are read where the projections left them:
    ``FusedMatMul`` takes the first axis for that of the rows. The other way round each of them has
    to be copied first, which takes as long as the products themselves.
    """

    def __init__(self, encoder: TransformerEncoder, arithmetic: Arithmetic) -> None:
        self._encoder = encoder
        self._arithmetic = arithmetic

    def emit(self, g: GraphBuilder, source_BS: str, lengths_B: str) -> Encoded:
        """Memory and its mean."""
        encoder = self._encoder
        table = array(encoder.embedding.weight)
        ids_SB = g.op("Transpose", source_BS, perm=[1, 0])
        words_SBD = self._arithmetic.lookup(g, ids_SB, table, encoder.scale)
        at_SD = emit_sinusoids(g, positions(g, source_BS, []), table.shape[1])
        x_SBD = g.op("Add", words_SBD, g.op("Unsqueeze", at_SD, g.ints(1)))
        real_B1S = real_positions(g, source_BS, lengths_B)
        mask_B1SS = _square(g, _mask(g, real_B1S), source_BS)
        for index, block in enumerate(encoder.blocks):
            assert isinstance(block, EncoderBlock)
            x_SBD = self._block(g, block, f"encoder.blocks.{index}", x_SBD, mask_B1SS)
        real_SB1 = g.op("Cast", g.op("Transpose", real_B1S, perm=[2, 0, 1]), to=1)
        memory_SBD = g.op("Mul", layer_norm(g, x_SBD, encoder.norm), real_SB1)
        mean_BD = self._mean(g, memory_SBD, real_B1S, lengths_B)
        return Encoded(g.op("Transpose", memory_SBD, perm=[1, 0, 2]), mean_BD)

    def _mean(self, g: GraphBuilder, memory_SBD: str, real_B1S: str, lengths_B: str) -> str:
        """The mean over the real positions [B, D].

        As a product, and one of two equal rows: a reduction sums in another order when there is
        only one sentence, and so does a product of one row.
        """
        share_B11 = g.op(
            "Reciprocal", g.op("Unsqueeze", g.op("Cast", lengths_B, to=1), g.ints(1, 2))
        )
        weights_B1S = g.op("Mul", g.op("Cast", real_B1S, to=1), share_B11)
        twice_B2S = g.op("Concat", weights_B1S, weights_B1S, axis=1)
        both_B2D = g.op("FusedMatMul", twice_B2S, memory_SBD, domain=CONTRIB, transBatchB=1)
        return g.op("Squeeze", g.op("Gather", both_B2D, g.ints(0), axis=1), g.ints(1))

    def _block(
        self, g: GraphBuilder, block: EncoderBlock, name: str, x_SBD: str, mask_B1SS: str
    ) -> str:
        normed_SBD = layer_norm(g, x_SBD, block.attention_norm)
        found_SBD = self._attention(g, block.attention, f"{name}.attention", normed_SBD, mask_B1SS)
        x_SBD = g.op("Add", x_SBD, found_SBD)
        normed_SBD = layer_norm(g, x_SBD, block.feed_forward_norm)
        thought_SBD = emit_feed_forward(
            g, self._arithmetic, block.feed_forward, f"{name}.feed_forward", normed_SBD
        )
        return g.op("Add", x_SBD, thought_SBD)

    def _attention(
        self, g: GraphBuilder, attention: MultiHeadAttention, name: str, x_SBD: str, mask_B1SS: str
    ) -> str:
        """All positions ask, of all positions."""
        width = attention.query.out_features
        heads = g.ints(0, 0, attention.heads, width // attention.heads)
        query_SBHX, keys_SBHX, values_SBHX = (
            g.op("Reshape", part_SBD, heads)
            # Three products of so many rows cost what one does, without splitting it.
            for part_SBD in (
                linear(g, self._arithmetic, x_SBD, attention.query, f"{name}.query"),
                linear(g, self._arithmetic, x_SBD, attention.key, f"{name}.key"),
                linear(g, self._arithmetic, x_SBD, attention.value, f"{name}.value"),
            )
        )
        scores_BHSS = g.op(
            "FusedMatMul",
            query_SBHX,
            keys_SBHX,
            domain=CONTRIB,
            transB=1,
            transBatchA=1,
            transBatchB=1,
            alpha=1 / math.sqrt(width // attention.heads),
        )
        weights_BHSS = g.op("Softmax", g.op("Add", scores_BHSS, mask_B1SS), axis=-1)
        found_BHSX = g.op("FusedMatMul", weights_BHSS, values_SBHX, domain=CONTRIB, transBatchB=1)
        found_SBHX = g.op("Transpose", found_BHSX, perm=[2, 0, 1, 3])
        found_SBD = g.op("Reshape", found_SBHX, g.ints(0, 0, width))
        return linear(g, self._arithmetic, found_SBD, attention.out, f"{name}.out")


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
    # Of what head h found, block h is its own; P = B x G, N = H x H.
    blocks_PNX = g.op("Reshape", found_BYD, g.ints(-1, heads * attention.heads, width_of_head))
    diagonal = g.ints(*range(0, attention.heads**2, attention.heads + 1))
    own_PHX = g.op("Gather", blocks_PNX, diagonal, axis=1)
    found_RD = g.op("Gather", g.op("Flatten", own_PHX, axis=1), source.slot_of_R)
    weights_PHS = g.op("Reshape", weights_BYS, g.ints(-1, heads, 0))
    weights_PS = g.op("ReduceMean", weights_PHS, g.ints(1), keepdims=0)
    weights_RS = g.op("Gather", weights_PS, source.slot_of_R)
    return linear(g, arithmetic, found_RD, attention.out, f"{name}.out"), weights_RS


def _mask(g: GraphBuilder, real: str) -> str:
    """To be added to scores: 0 at real positions, minus infinity elsewhere."""
    zero, never = (g.constant(np.array(v, np.float32), "mask") for v in (0, -np.inf))
    return g.op("Where", real, zero, never)


def _square(g: GraphBuilder, mask_B1S: str, source_BS: str) -> str:
    """The mask once for every position that asks, [B, 1, S, S]: to add S x S numbers at a time
    takes a third of what S at a time do.
    """
    length = g.op("Shape", source_BS, start=1, end=2)
    shape = g.op("Concat", g.ints(1, 1), length, g.ints(1), axis=0)
    return g.op("Expand", g.op("Unsqueeze", mask_B1S, g.ints(1)), shape)


def emit_sinusoids(g: GraphBuilder, at_S: str, width: int) -> str:
    """``layers.sinusoids`` of positions, [S, D]."""
    rates = np.exp(np.arange(0, width, 2) * (-math.log(10_000.0) / width)).astype(np.float32)
    at_S1 = g.op("Unsqueeze", g.op("Cast", at_S, to=1), g.ints(1))
    angles_SX1 = g.op("Unsqueeze", g.op("Mul", at_S1, g.constant(rates, "rates")), g.ints(2))
    pairs = g.op("Concat", g.op("Sin", angles_SX1), g.op("Cos", angles_SX1), axis=-1)
    return g.op("Reshape", pairs, g.ints(0, -1))
