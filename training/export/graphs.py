"""The two graphs of a bundle, written from a trained model: the encoder, and the decoder's
one-token step.

The names are the contract with the serving engine (``service.bundle``). A sentence's memory is held
once and shared by all its rows: ``slots_BG`` says which row each slot of a sentence is,
``slot_of_R`` in which slot a row finds its answer, so that attention over a whole beam is one
product per sentence.

Shapes: B sentences, S source positions, R rows (live hypotheses), G slots of a sentence.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from torch import nn

from service.bundle import Graphs, MemorySpec, StateSpec
from training.export.arithmetic import Arithmetic, Within
from training.export.builder import GraphBuilder
from training.export.hybrid import HybridDecoderGraph
from training.export.interface import (
    Attended,
    Caches,
    Encoded,
    Fed,
    InterfaceGraph,
    StepValues,
    Tensors,
)
from training.export.next_symbol import NextSymbolGraph, ReaderGraph
from training.export.output import Head, emit_output, emit_shortlisted_output
from training.export.recurrent import RecurrentDecoderGraph, RecurrentEncoderGraph
from training.export.transformer import TransformerEncoderGraph
from training.export.transformer_decoder import TransformerDecoderGraph
from training.models import (
    Ensemble,
    HybridDecoder,
    NextSymbolDecoder,
    Reader,
    Seq2Seq,
    TransformerDecoder,
    TransformerEncoder,
)

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
    @property
    def caches(self) -> Caches: ...
    def emit_memories(self, g: GraphBuilder, encoded: Encoded) -> list[str]: ...
    def emit_initial(self, g: GraphBuilder, encoded: Encoded) -> list[str]: ...
    def emit_step(
        self, g: GraphBuilder, fed: Fed, states: list[str], source: Attended
    ) -> StepValues: ...


@dataclass(frozen=True, kw_only=True)
class ExportedGraphs:
    """What the manifest says of the graphs, and the files themselves."""

    graphs: Graphs
    memories: tuple[MemorySpec, ...]
    states: tuple[StateSpec, ...]
    files: dict[str, bytes]


def export_graphs(
    model: Seq2Seq | Ensemble, arithmetic: Arithmetic, *, padding: int | None = None
) -> ExportedGraphs:
    """Both graphs of ``model`` (on the CPU, in float32), multiplied as ``arithmetic`` says. Those
    of an ensemble run all its members and answer with the mean of their probabilities.

    A decoder that is told the token ``padding`` can score rows over a few candidates, whose lists
    are filled up with it.

    Raises:
        TypeError: a shortlist takes products that are exact; see ``Arithmetic.selected``.
    """
    model.eval()
    members = _members(model, arithmetic)
    encoder, decoder = _encoder(members), _decoder(members, padding)
    return ExportedGraphs(
        graphs=Graphs(encoder=encoder.spec(ENCODER_FILE), decoder=decoder.spec(DECODER_FILE)),
        memories=tuple(MemorySpec(name=name) for member in members for name, _ in member.memories),
        states=tuple(spec for member in members for spec in member.state_specs()),
        files={ENCODER_FILE: encoder.build("encoder"), DECODER_FILE: decoder.build("decoder")},
    )


@dataclass(frozen=True, kw_only=True)
class _Member:
    """One model of an ensemble, or the only one."""

    encoding: EncoderGraph
    decoding: DecoderGraph
    output: nn.Linear
    arithmetic: Arithmetic
    prefix: str  # of the names of its memories and states

    @property
    def memories(self) -> Tensors:
        return tuple((self.prefix + name, width) for name, width in self.decoding.memories)

    @property
    def states(self) -> Tensors:
        return tuple((self.prefix + name, width) for name, width in self.decoding.states)

    @property
    def caches(self) -> Caches:
        return tuple((self.prefix + name, heads, x) for name, heads, x in self.decoding.caches)

    def state_specs(self) -> Iterator[StateSpec]:
        """Of the states of fixed size, then of the caches."""
        for name, _ in self.states:
            yield StateSpec(
                input=name, output=f"{name}_next", initial=f"{name}_initial", growing_axis=None
            )
        for name, _, _ in self.caches:
            yield StateSpec(input=name, output=f"{name}_next", initial=None, growing_axis=2)


def _members(model: Seq2Seq | Ensemble, arithmetic: Arithmetic) -> list[_Member]:
    if isinstance(model, Ensemble):
        return [
            _member(member, Within(arithmetic, f"members.{index}"), f"member{index}_")
            for index, member in enumerate(model.members)
        ]
    return [_member(model, arithmetic, "")]


def _member(model: Seq2Seq, arithmetic: Arithmetic, prefix: str) -> _Member:
    return _Member(
        encoding=_encoder_graph(model, arithmetic),
        decoding=_decoder_graph(model, arithmetic),
        output=model.output,
        arithmetic=arithmetic,
        prefix=prefix,
    )


def _encoder_graph(model: Seq2Seq, arithmetic: Arithmetic) -> EncoderGraph:
    if isinstance(model.encoder, TransformerEncoder):
        return TransformerEncoderGraph(model.encoder, arithmetic)
    if isinstance(model.encoder, Reader):
        return ReaderGraph(model.encoder.decoder, arithmetic)
    return RecurrentEncoderGraph(model.encoder, arithmetic)


def _decoder_graph(model: Seq2Seq, arithmetic: Arithmetic) -> DecoderGraph:
    if isinstance(model.decoder, HybridDecoder):
        return HybridDecoderGraph(model.decoder, arithmetic)
    if isinstance(model.decoder, TransformerDecoder):
        return TransformerDecoderGraph(model.decoder, arithmetic)
    if isinstance(model.decoder, NextSymbolDecoder):
        return NextSymbolGraph(model.decoder, arithmetic)
    return RecurrentDecoderGraph(model.decoder, model.config.memory_width, arithmetic)


def _encoder(members: list[_Member]) -> InterfaceGraph:
    made = InterfaceGraph()
    g = made.graph
    source_BS = made.input("source_BS", "int64", ["B", "S"])
    lengths_B = made.input("source_lengths_B", "int64", ["B"])
    for member in members:
        encoded = member.encoding.emit(g, source_BS, lengths_B)
        remembered = member.decoding.emit_memories(g, encoded)
        for (name, width), value in zip(member.memories, remembered, strict=True):
            made.output(name, value, "float32", ["B", "S", width])
        initial = member.decoding.emit_initial(g, encoded)
        for (name, width), value in zip(member.states, initial, strict=True):
            made.output(f"{name}_initial", value, "float32", ["B", width])
    return made


def _decoder(members: list[_Member], padding: int | None) -> InterfaceGraph:
    made = InterfaceGraph()
    g = made.graph
    tokens_R = made.input("tokens_R", "int64", ["R"])
    slots_BG = made.input("slots_BG", "int64", ["B", "G"])
    slot_of_R = made.input("slot_of_R", "int64", ["R"])
    lengths_B = made.input("source_lengths_B", "int64", ["B"])
    grows = any(member.caches for member in members)
    fed = Fed(tokens_R, made.input("ages_R", "int64", ["R"]) if grows else "")
    heads: list[Head] = []
    attention: list[str] = []
    for member in members:
        memories = [
            made.input(name, "float32", ["B", "S", width]) for name, width in member.memories
        ]
        shapes = _state_shapes(member)
        states = [made.input(name, "float32", shape) for name, shape in shapes]
        source = Attended(slots_BG, slot_of_R, lengths_B, memories)
        values = member.decoding.emit_step(g, fed, states, source)
        heads.append(Head(values.readout_RE, member.output, member.arithmetic))
        if values.weights_RS:
            attention.append(values.weights_RS)
        for (name, shape), value in zip(shapes, values.states, strict=True):
            made.output(f"{name}_next", value, "float32", shape)
    if padding is None:
        emit_output(made, heads)
    else:
        emit_shortlisted_output(made, heads, padding)
    if attention:  # of those members that attend
        weights_RS = attention[0] if len(attention) == 1 else g.op("Mean", *attention)
        made.output("attention_RS", weights_RS, "float32", ["R", "S"])
    return made


def _state_shapes(member: _Member) -> list[tuple[str, list[str | int]]]:
    """Of the states of fixed size, then of the caches."""
    shapes: list[tuple[str, list[str | int]]] = []
    shapes += [(name, ["R", width]) for name, width in member.states]
    shapes += [(name, ["R", heads, "T", width]) for name, heads, width in member.caches]
    return shapes
