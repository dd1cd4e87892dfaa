"""Do the graphs that were loaded have the inputs and outputs that the manifest says?"""

from collections.abc import Iterator, Sequence
from typing import Protocol

from service.bundle.graphs import GraphSpec


class Described(Protocol):
    """An input or output, as a loaded graph describes it."""

    @property
    def name(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def shape(self) -> Sequence[str | int | None]: ...


class LoadedGraph(Protocol):
    """A session of onnxruntime, as far as it is asked here."""

    def get_inputs(self) -> Sequence[Described]: ...
    def get_outputs(self) -> Sequence[Described]: ...


def interface_problems(loaded: LoadedGraph, spec: GraphSpec) -> Iterator[str]:
    """Where the graph's names, dtypes and ranks are not what the manifest says."""
    for kind, found, said in (
        ("input", loaded.get_inputs(), spec.inputs),
        ("output", loaded.get_outputs(), spec.outputs),
    ):
        have = {t.name: t for t in found}
        want = {t.name: t for t in said}
        for name in sorted(have.keys() - want.keys()):
            yield f"{spec.file}: {kind} {name!r} is not in the manifest"
        for name in sorted(want.keys() - have.keys()):
            yield f"{spec.file}: {kind} {name!r} of the manifest is not in the graph"
        for name in sorted(want.keys() & have.keys()):
            tensor = f"{spec.file}: {kind} {name!r}"
            dtype = _DTYPES.get(have[name].type, have[name].type)
            if dtype != want[name].dtype:
                yield f"{tensor} is {dtype}, the manifest says {want[name].dtype}"
            rank, said_rank = len(have[name].shape), len(want[name].shape)
            if rank != said_rank:
                yield f"{tensor} has rank {rank}, the manifest says {said_rank}"


_DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(int8)": "int8",
    "tensor(uint8)": "uint8",
    "tensor(bool)": "bool",
}
