"""The two graphs of a bundle, written from a trained model: the encoder, and the decoder's
one-token step.

The names are the contract with the serving engine (``service.bundle``). A sentence's memory is held
once and shared by all its rows: ``slots_BG`` says which row each slot of a sentence is,
``slot_of_R`` in which slot a row finds its answer, so that attention over a whole beam is one
product per sentence.

Shapes: B sentences, S source positions, R rows (live hypotheses), G slots of a sentence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from service.bundle import Graphs, MemorySpec, StateSpec
from training.export.arithmetic import Arithmetic
from training.export.builder import GraphBuilder
from training.export.hybrid import HybridDecoderGraph
from training.export.interface import Attended, Encoded, InterfaceGraph, StepValues, Tensors
from training.export.output import emit_output
from training.export.recurrent import RecurrentDecoderGraph, RecurrentEncoderGraph
from training.export.transformer import TransformerEncoderGraph
from training.models import HybridDecoder, Seq2Seq, TransformerEncoder

__all__ = ["DECODER_FILE", "ENCODER_FILE", "ExportedGraphs", "export_graphs"]

ENCODER_FILE, DECODER_FILE = "encoder.onnx", "decoder.onnx"


class EncoderGraph(Protocol):
    """An encoder, written into a graph."""

    def emit(self, g: GraphBuilder, source_BS: str, lengths_B: str) -> Encoded: ...


class DecoderGraph(Protocol):
    """A decoder, written into both graphs."""

    @property
    def memories(self) -> Tensors: ...
    @property
    def states(self) -> Tensors: ...
    def emit_memories(self, g: GraphBuilder, encoded: Encoded) -> list[str]: ...
    def emit_initial(self, g: GraphBuilder, encoded: Encoded) -> list[str]: ...
    def emit_step(
        self, g: GraphBuilder, tokens_R: str, states: list[str], source: Attended
    ) -> StepValues: ...


@dataclass(frozen=True, kw_only=True)
class ExportedGraphs:
    """What the manifest says of the graphs, and the files themselves."""

    graphs: Graphs
    memories: tuple[MemorySpec, ...]
    states: tuple[StateSpec, ...]
    files: dict[str, bytes]


def export_graphs(model: Seq2Seq, arithmetic: Arithmetic) -> ExportedGraphs:
    """Both graphs of ``model`` (on the CPU, in float32), multiplied as ``arithmetic`` says."""
    model.eval()
    decoding = _decoder_graph(model, arithmetic)
    encoder = _encoder(_encoder_graph(model, arithmetic), decoding)
    decoder = _decoder(model, arithmetic, decoding)
    return ExportedGraphs(
        graphs=Graphs(encoder=encoder.spec(ENCODER_FILE), decoder=decoder.spec(DECODER_FILE)),
        memories=tuple(MemorySpec(name=name) for name, _ in decoding.memories),
        states=tuple(
            StateSpec(
                input=name, output=f"{name}_next", initial=f"{name}_initial", growing_axis=None
            )
            for name, _ in decoding.states
        ),
        files={ENCODER_FILE: encoder.build("encoder"), DECODER_FILE: decoder.build("decoder")},
    )


def _encoder_graph(model: Seq2Seq, arithmetic: Arithmetic) -> EncoderGraph:
    if isinstance(model.encoder, TransformerEncoder):
        return TransformerEncoderGraph(model.encoder, arithmetic)
    return RecurrentEncoderGraph(model.encoder, arithmetic)


def _decoder_graph(model: Seq2Seq, arithmetic: Arithmetic) -> DecoderGraph:
    if isinstance(model.decoder, HybridDecoder):
        return HybridDecoderGraph(model.decoder, arithmetic)
    return RecurrentDecoderGraph(model.decoder, model.config.memory_width, arithmetic)


def _encoder(encoding: EncoderGraph, decoding: DecoderGraph) -> InterfaceGraph:
    made = InterfaceGraph()
    g = made.graph
    source_BS = made.input("source_BS", "int64", ["B", "S"])
    lengths_B = made.input("source_lengths_B", "int64", ["B"])
    encoded = encoding.emit(g, source_BS, lengths_B)
    remembered = decoding.emit_memories(g, encoded)
    for (name, width), value in zip(decoding.memories, remembered, strict=True):
        made.output(name, value, "float32", ["B", "S", width])
    initial = decoding.emit_initial(g, encoded)
    for (name, width), value in zip(decoding.states, initial, strict=True):
        made.output(f"{name}_initial", value, "float32", ["B", width])
    return made


def _decoder(model: Seq2Seq, arithmetic: Arithmetic, decoding: DecoderGraph) -> InterfaceGraph:
    made = InterfaceGraph()
    g = made.graph
    tokens_R = made.input("tokens_R", "int64", ["R"])
    source = Attended(
        slots_BG=made.input("slots_BG", "int64", ["B", "G"]),
        slot_of_R=made.input("slot_of_R", "int64", ["R"]),
        lengths_B=made.input("source_lengths_B", "int64", ["B"]),
        memories=[
            made.input(name, "float32", ["B", "S", width]) for name, width in decoding.memories
        ],
    )
    states = [made.input(name, "float32", ["R", width]) for name, width in decoding.states]
    values = decoding.emit_step(g, tokens_R, states, source)
    emit_output(made, arithmetic, values.readout_RE, model.output)
    if values.weights_RS:
        made.output("attention_RS", values.weights_RS, "float32", ["R", "S"])
    for (name, width), value in zip(decoding.states, values.states, strict=True):
        made.output(f"{name}_next", value, "float32", ["R", width])
    return made
