"""The Transformer's decoder as a graph: ``models.transformer_decoder`` again, one token a step.

Shapes: B sentences, S source positions, R rows, T entries that a cache has room for, D width, H
heads, X width of a head.
"""

from __future__ import annotations

import math

import numpy as np

from training.export.arithmetic import Arithmetic
from training.export.builder import CONTRIB, GraphBuilder
from training.export.common import layer_norm, linear
from training.export.interface import Attended, Caches, Encoded, Fed, StepValues, Tensors, array
from training.export.transformer import (
    emit_cross_attention,
    emit_feed_forward,
    emit_projections,
    emit_sinusoids,
)
from training.layers import DecoderBlock, MultiHeadAttention
from training.models import TransformerDecoder

__all__ = ["TransformerDecoderGraph"]


class TransformerDecoderGraph:
    """Layers of attention to the own past, attention to the source and feed-forward."""

    states: Tensors = ()

    def __init__(self, decoder: TransformerDecoder, arithmetic: Arithmetic) -> None:
        self._decoder = decoder
        self._arithmetic = arithmetic
        layers = range(len(decoder.blocks))
        heads = decoder.blocks[0].past_attention.heads
        self.memories: Tensors = tuple(
            (f"{part}{layer}_BSD", decoder.width) for layer in layers for part in ("keys", "values")
        )
        self.caches: Caches = tuple(
            (f"past_{part}{layer}_RHTX", heads, decoder.width // heads)
            for layer in layers
            for part in ("keys", "values")
        )

    def emit_memories(self, g: GraphBuilder, encoded: Encoded) -> list[str]:
        """The values of ``memories``, in the encoder's graph."""
        return [
            linear(g, self._arithmetic, encoded.memory_BSM, layer, f"{name}.attention.{part}")
            for name, block in self._named_blocks()
            for part, layer in (("key", block.attention.key), ("value", block.attention.value))
        ]

    def emit_initial(self, g: GraphBuilder, encoded: Encoded) -> list[str]:
        """Nothing: a row begins with no past."""
        del g, encoded
        return []

    def emit_step(
        self, g: GraphBuilder, fed: Fed, states: list[str], source: Attended
    ) -> StepValues:
        """One token for every row."""
        decoder, arithmetic = self._decoder, self._arithmetic
        ages_R, caches = fed.ages_R, states
        table = array(decoder.embedding.weight)
        words_RD = arithmetic.lookup(g, fed.tokens_R, table, decoder.scale)
        room = g.op("Squeeze", g.op("Shape", caches[0], start=2, end=3), g.ints(0))
        x_RD = g.op("Add", words_RD, self._positions(g, ages_R, room))
        seen = (g.op("Cast", ages_R, to=6), g.op("Cast", room, to=6))  # int32
        after: list[str] = []
        weights_RS = ""
        for index, (name, block) in enumerate(self._named_blocks()):
            pair = slice(2 * index, 2 * index + 2)
            normed_RD = layer_norm(g, x_RD, block.past_norm)
            found_RD, *now = self._look_back(
                g, block.past_attention, f"{name}.past_attention", normed_RD, (*caches[pair], *seen)
            )
            after += now
            x_RD = g.op("Add", x_RD, found_RD)
            of_layer = Attended(
                source.slots_BG, source.slot_of_R, source.lengths_B, source.memories[pair]
            )
            normed_RD = layer_norm(g, x_RD, block.attention_norm)
            found_RD, weights_RS = emit_cross_attention(
                g, arithmetic, block.attention, f"{name}.attention", normed_RD, of_layer
            )
            x_RD = g.op("Add", x_RD, found_RD)
            normed_RD = layer_norm(g, x_RD, block.feed_forward_norm)
            place = f"{name}.feed_forward"
            thought_RD = emit_feed_forward(g, arithmetic, block.feed_forward, place, normed_RD)
            x_RD = g.op("Add", x_RD, thought_RD)
        return StepValues(layer_norm(g, x_RD, decoder.norm), after, weights_RS)

    def _positions(self, g: GraphBuilder, ages_R: str, room: str) -> str:
        """The sinusoids of each row's age [R, D].

        Taken from those of all places of the cache, a multiple of 16: kernels compute what is left
        behind whole vectors in another way, and what is left would depend on the number of rows.
        """
        zero, one = (g.constant(np.array(i, np.int64), "scalar") for i in (0, 1))
        all_TD = emit_sinusoids(g, g.op("Range", zero, room, one), self._decoder.width)
        return g.op("Gather", all_TD, ages_R)

    def _look_back(
        self,
        g: GraphBuilder,
        attention: MultiHeadAttention,
        name: str,
        x_RD: str,
        past: tuple[str, ...],
    ) -> list[str]:
        """What each row finds among its own tokens [R, D], and its keys and values with the new.

        The operator reads exactly as many entries as a row has, row by row and head by head: no
        padding, no mask, and the same bits beside rows of any age. It writes the new entry into the
        memory of the old ones where both are the same, as in the engine.
        """
        width, heads = attention.query.out_features, attention.heads
        together_RX = emit_projections(g, self._arithmetic, attention, name, x_RD)
        found_R1D, *caches = g.ops(
            "GroupQueryAttention",
            g.op("Unsqueeze", together_RX, g.ints(1)),
            "",
            "",
            *past,
            outputs=3,
            domain=CONTRIB,
            num_heads=heads,
            kv_num_heads=heads,
            scale=1 / math.sqrt(width // heads),
        )
        found_RD = g.op("Squeeze", found_R1D, g.ints(1))
        return [linear(g, self._arithmetic, found_RD, attention.out, f"{name}.out"), *caches]

    def _named_blocks(self) -> list[tuple[str, DecoderBlock]]:
        """Each layer with its name in the model."""
        return [
            (f"decoder.layers.{index}", block) for index, block in enumerate(self._decoder.blocks)
        ]
