"""A graph that is part of a bundle: what is declared here is what the manifest says of it.

Shapes: B sentences, S source positions, R rows (live hypotheses), G slots of a sentence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.bundle import GraphSpec, TensorSpec
from training.export.builder import GraphBuilder

__all__ = [
    "Attended",
    "Caches",
    "Encoded",
    "Fed",
    "InterfaceGraph",
    "StepValues",
    "Tensors",
    "array",
]

Tensors = tuple[tuple[str, int], ...]
"""Names and widths of memories [B, S, width] or states [R, width]."""

Caches = tuple[tuple[str, int, int], ...]
"""Names, heads and widths of a head of states that grow, [R, heads, T, width]."""


class InterfaceGraph:
    """A graph that remembers how its inputs and outputs were declared."""

    def __init__(self) -> None:
        self.graph = GraphBuilder()
        self._inputs: list[TensorSpec] = []
        self._outputs: list[TensorSpec] = []

    def input(self, name: str, dtype: Any, shape: list[str | int]) -> str:
        """Declare an input."""
        self._inputs.append(TensorSpec(name=name, dtype=dtype, shape=tuple(shape)))
        return self.graph.input(name, dtype, shape)

    def output(self, name: str, value: str, dtype: Any, shape: list[str | int]) -> None:
        """Give ``value`` out under ``name``."""
        self._outputs.append(TensorSpec(name=name, dtype=dtype, shape=tuple(shape)))
        self.graph.output(name, value, dtype, shape)

    def spec(self, file: str) -> GraphSpec:
        """What the manifest says of it."""
        return GraphSpec(file=file, inputs=tuple(self._inputs), outputs=tuple(self._outputs))

    def build(self, name: str) -> bytes:
        """The file."""
        return self.graph.model(name)


@dataclass(frozen=True)
class Encoded:
    """What an encoder leaves in its graph: memory [B, S, M], 0 at padded positions, and summary [B,
    M].
    """

    memory_BSM: str
    summary_BM: str


@dataclass(frozen=True)
class Fed:
    """What the rows of a step are fed: a token each, after so many others (empty if no decoder
    asks).
    """

    tokens_R: str
    ages_R: str


@dataclass(frozen=True)
class Attended:
    """Where the rows of a step find their sentences."""

    slots_BG: str
    slot_of_R: str
    lengths_B: str
    memories: list[str]  # as the decoder declared them


@dataclass(frozen=True)
class StepValues:
    """What a decoder's step leaves in its graph; without attention ``weights_RS`` is empty."""

    readout_RE: str
    states: list[str]  # those of fixed size, then the caches
    weights_RS: str


def array(tensor: Any) -> NDArray[np.float32]:
    """A parameter's values."""
    values: NDArray[np.float32] = tensor.detach().cpu().float().numpy()
    return values
