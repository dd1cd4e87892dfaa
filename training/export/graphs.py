"""The two graphs of a bundle, written from a trained model: the encoder, and the decoder's
one-token step.

The names are the contract with the serving engine (``service.bundle``). A sentence's memory is held
once and shared by all its rows: ``slots_BG`` says which row each slot of a sentence is,
``slot_of_R`` in which slot a row finds its answer, so that attention over a whole beam is one
product per sentence.

Shapes: B sentences, S source positions, R rows (live hypotheses), G slots of a sentence, K
candidates, M memory width, E embedding, H hidden, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from service.bundle import Graphs, GraphSpec, MemorySpec, StateSpec, TensorSpec
from training.export.arithmetic import Arithmetic
from training.export.builder import CONTRIB, GraphBuilder
from training.export.recurrence import emit_bidirectional, emit_step
from training.layers import AdditiveAttention, Attention, GeneralAttention
from training.models import Seq2Seq

__all__ = ["DECODER_FILE", "ENCODER_FILE", "ExportedGraphs", "export_graphs"]

ENCODER_FILE, DECODER_FILE = "encoder.onnx", "decoder.onnx"


@dataclass(frozen=True, kw_only=True)
class ExportedGraphs:
    """What the manifest says of the graphs, and the files themselves."""

    graphs: Graphs
    memories: tuple[MemorySpec, ...]
    states: tuple[StateSpec, ...]
    files: dict[str, bytes]


def export_graphs(model: Seq2Seq, arithmetic: Arithmetic) -> ExportedGraphs:
    """Both graphs of ``model`` (on the CPU, in float32), multiplied as ``arithmetic`` says."""
    writer = _Writer(model.eval(), arithmetic)
    encoder, decoder = writer.encoder(), writer.decoder()
    return ExportedGraphs(
        graphs=Graphs(encoder=encoder.spec(ENCODER_FILE), decoder=decoder.spec(DECODER_FILE)),
        memories=tuple(MemorySpec(name=name) for name, _ in writer.memories),
        states=tuple(
            StateSpec(
                input=name, output=f"{name}_next", initial=f"{name}_initial", growing_axis=None
            )
            for name, _ in writer.states
        ),
        files={ENCODER_FILE: encoder.build("encoder"), DECODER_FILE: decoder.build("decoder")},
    )


class _Graph:
    """A graph that remembers how its inputs and outputs were declared."""

    def __init__(self) -> None:
        self.graph = GraphBuilder()
        self._inputs: list[TensorSpec] = []
        self._outputs: list[TensorSpec] = []

    def input(self, name: str, dtype: Any, shape: list[str | int]) -> str:
        self._inputs.append(TensorSpec(name=name, dtype=dtype, shape=tuple(shape)))
        return self.graph.input(name, dtype, shape)

    def output(self, name: str, value: str, dtype: Any, shape: list[str | int]) -> None:
        self._outputs.append(TensorSpec(name=name, dtype=dtype, shape=tuple(shape)))
        self.graph.output(name, value, dtype, shape)

    def spec(self, file: str) -> GraphSpec:
        return GraphSpec(file=file, inputs=tuple(self._inputs), outputs=tuple(self._outputs))

    def build(self, name: str) -> bytes:
        return self.graph.model(name)


class _Writer:
    """Walks the model as ``Seq2Seq.encode`` and ``Seq2Seq.step`` do."""

    def __init__(self, model: Seq2Seq, arithmetic: Arithmetic) -> None:
        self._model = model
        self._arithmetic = arithmetic
        config = model.config
        self.memories: list[tuple[str, int]] = []
        if config.attention != "none":
            self.memories.append(("memory_BSM", config.memory_width))
        if isinstance(model.decoder.attention, AdditiveAttention):
            self.memories.append(("keys_BSA", config.attention_width))
        parts = "hc" if config.cell == "lstm" else "h"
        self.states = [
            (f"{part}{layer}_RH", config.decoder_hidden)
            for layer in range(config.decoder_layers)
            for part in parts
        ]
        self._recurrent_states = len(self.states)
        if (
            config.attention == "none"
        ):  # the fixed context vector travels with each row and never changes
            self.states.append(("context_RM", config.memory_width))

    def encoder(self) -> _Graph:
        made = _Graph()
        g, model = made.graph, self._model
        source_BS = made.input("source_BS", "int64", ["B", "S"])
        lengths_B = made.input("source_lengths_B", "int64", ["B"])
        ids_SB = g.op("Transpose", source_BS, perm=[1, 0])
        positions_S11 = _positions(g, source_BS, [1, 2])
        real_SB1 = g.op("Less", positions_S11, g.op("Unsqueeze", lengths_B, g.ints(0, 2)))
        x_SBD = self._arithmetic.lookup(g, ids_SB, _array(model.encoder.embedding.weight))
        last_BM = ""
        for index, layer in enumerate(model.encoder.recurrent):
            x_SBD, last_BM = emit_bidirectional(
                g, self._arithmetic, layer, f"encoder.layers.{index}", x_SBD, real_SB1
            )
        if self.memories:
            clean_SBM = g.op("Mul", x_SBD, g.op("Cast", real_SB1, to=1))
            memory_BSM = g.op("Transpose", clean_SBM, perm=[1, 0, 2])
            values = [memory_BSM]
            if isinstance(model.decoder.attention, AdditiveAttention):
                values.append(
                    self._linear(
                        g, memory_BSM, model.decoder.attention.memory, "decoder.attention.memory"
                    )
                )
            for (name, width), value in zip(self.memories, values, strict=True):
                made.output(name, value, "float32", ["B", "S", width])
        self._initial_states(made, last_BM)
        return made

    def _initial_states(self, made: _Graph, summary_BM: str) -> None:
        g = made.graph
        bridged = g.op(
            "Tanh", self._linear(g, summary_BM, self._model.decoder.bridge, "decoder.bridge")
        )
        sizes = [width for _, width in self.states[: self._recurrent_states]]
        values = g.ops("Split", bridged, g.ints(*sizes), outputs=len(sizes), axis=-1)
        values += [summary_BM] * (len(self.states) - len(values))
        for (name, width), value in zip(self.states, values, strict=True):
            made.output(f"{name}_initial", value, "float32", ["B", width])

    def decoder(self) -> _Graph:
        made = _Graph()
        g, decoder = made.graph, self._model.decoder
        tokens_R = made.input("tokens_R", "int64", ["R"])
        slots_BG = made.input("slots_BG", "int64", ["B", "G"])
        slot_of_R = made.input("slot_of_R", "int64", ["R"])
        lengths_B = made.input("source_lengths_B", "int64", ["B"])
        top_k = made.input("top_k", "int64", [1])
        probes_RP = made.input("probe_ids_RP", "int64", ["R", "P"])
        memories = [made.input(name, "float32", ["B", "S", width]) for name, width in self.memories]
        inputs = [made.input(name, "float32", ["R", width]) for name, width in self.states]
        states = inputs[: self._recurrent_states]
        per_layer = len(states) // len(decoder.layers)

        x_RD = self._arithmetic.lookup(g, tokens_R, _array(decoder.embedding.weight))
        after: list[str] = []
        context_RM, weights_RS = "", ""
        for index, layer in enumerate(decoder.recurrent):
            before = states[index * per_layer : (index + 1) * per_layer]
            now = emit_step(g, self._arithmetic, layer, f"decoder.layers.{index}", x_RD, before)
            after += now
            if index == 0:
                if decoder.attention is None:
                    context_RM = inputs[-1]
                else:
                    query = _Query(now[0], slots_BG, slot_of_R, lengths_B)
                    context_RM, weights_RS = self._attend(g, decoder.attention, query, memories)
            x_RD = g.op("Concat", now[0], context_RM, axis=-1)
        readout_RE = g.op("Tanh", self._linear(g, x_RD, decoder.readout, "decoder.readout"))
        scores_RV = self._linear(g, readout_RE, decoder.output, "decoder.output")
        # LogSoftmax, then top-k: ReduceLogSumExp is a far slower kernel than LogSoftmax.
        log_probs_RV = g.op("LogSoftmax", scores_RV, axis=-1)
        top_RK, ids_RK = g.ops("TopK", log_probs_RV, top_k, outputs=2, axis=-1, sorted=1)
        made.output("top_log_probs_RK", top_RK, "float32", ["R", "K"])
        made.output("top_ids_RK", ids_RK, "int64", ["R", "K"])
        probed_RP = g.op("GatherElements", log_probs_RV, probes_RP, axis=-1)
        made.output("probe_log_probs_RP", probed_RP, "float32", ["R", "P"])
        if weights_RS:
            made.output("attention_RS", weights_RS, "float32", ["R", "S"])
        for (name, width), value in zip(
            self.states, after + inputs[self._recurrent_states :], strict=True
        ):
            made.output(f"{name}_next", value, "float32", ["R", width])
        return made

    def _attend(
        self, g: GraphBuilder, attention: Attention, query: _Query, memories: list[str]
    ) -> tuple[str, str]:
        """Context [R, M] and weights [R, S]."""
        query_RX = query.h_RH
        if isinstance(attention, AdditiveAttention | GeneralAttention):
            query_RX = self._linear(g, query.h_RH, attention.query, "decoder.attention.query")
        query_BGX = g.op("Gather", query_RX, query.slots_BG)
        memory_BSM, keys_BSX = memories[0], memories[-1]
        if isinstance(attention, AdditiveAttention):
            sums_BGSA = g.op(
                "Add",
                g.op("Unsqueeze", query_BGX, g.ints(2)),
                g.op("Unsqueeze", keys_BSX, g.ints(1)),
            )
            energy_A1 = g.constant(_array(attention.energy.weight).T, "energy")
            scores_BGS = g.op(
                "Squeeze", g.op("MatMul", g.op("Tanh", sums_BGSA), energy_A1), g.ints(3)
            )
        else:
            scores_BGS = _products(g, keys_BSX, query_BGX, transposed=False)
        real_B1S = g.op(
            "Less",
            _positions(g, memory_BSM, [0, 1]),
            g.op("Unsqueeze", query.lengths_B, g.ints(1, 2)),
        )
        masked_BGS = g.op(
            "Where", real_B1S, scores_BGS, g.constant(np.array(-np.inf, np.float32), "never")
        )
        weights_BGS = g.op("Softmax", masked_BGS, axis=-1)
        context_BGM = _products(g, memory_BSM, weights_BGS, transposed=True)
        return _rows(g, context_BGM, query.slot_of_R), _rows(g, weights_BGS, query.slot_of_R)

    def _linear(self, g: GraphBuilder, x: str, layer: nn.Linear, name: str) -> str:
        bias = dict(layer.named_parameters()).get("bias")  # typed as if it could not be missing
        bias_O = None if bias is None else _array(bias)
        return self._arithmetic.linear(g, x, _array(layer.weight), bias_O, name)


@dataclass(frozen=True)
class _Query:
    """Who asks, and where each row's sentence is."""

    h_RH: str
    slots_BG: str
    slot_of_R: str
    lengths_B: str


def _products(g: GraphBuilder, matrix_BSX: str, rows_BGY: str, *, transposed: bool) -> str:
    """Matrix x row for each slot of each sentence: [B, G, S], or with the matrix ``transposed`` [B,
    G, X].

    One product with a column vector for each slot, the sentence's matrix shared by all of them. One
    product for all G slots at once would sum in an order that depends on G and on how far S is
    padded: a hypothesis would get other bits in a wide beam than in a narrow one, and beside long
    sentences other ones than alone.
    """
    columns_BGY1 = g.op("Unsqueeze", rows_BGY, g.ints(3))
    matrix_B1SX = g.op("Unsqueeze", matrix_BSX, g.ints(1))
    products = g.op(
        "FusedMatMul", matrix_B1SX, columns_BGY1, domain=CONTRIB, transA=int(transposed)
    )
    return g.op("Squeeze", products, g.ints(3))


def _rows(g: GraphBuilder, value_BGX: str, slot_of_R: str) -> str:
    """[B, G, X] -> [R, X], each row from its slot."""
    width = g.op("Shape", value_BGX, start=2, end=3)
    flat = g.op("Reshape", value_BGX, g.op("Concat", g.ints(-1), width, axis=0))
    return g.op("Gather", flat, slot_of_R)


def _positions(g: GraphBuilder, value_BSx: str, axes: list[int]) -> str:
    """0, 1, ... S-1, with axes of size 1 inserted at ``axes``."""
    zero, one = (g.constant(np.array(i, np.int64), "scalar") for i in (0, 1))
    count = g.op("Squeeze", g.op("Shape", value_BSx, start=1, end=2), g.ints(0))
    return g.op("Unsqueeze", g.op("Range", zero, count, one), g.ints(*axes))


def _array(tensor: Any) -> NDArray[np.float32]:
    array: NDArray[np.float32] = tensor.detach().cpu().float().numpy()
    return array
