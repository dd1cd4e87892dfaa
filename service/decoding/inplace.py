"""A run that writes caches where they lie: the same memory goes in and comes out.

Legend: R rows, T entries that a cache has room for.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Tensor = NDArray[Any]


class Binds(Protocol):
    """A session of onnxruntime, as far as it is used here."""

    def io_binding(self) -> Any: ...
    def run_with_iobinding(self, binding: Any) -> None: ...


class InPlace:
    """Runs a graph whose caches are inputs, and outputs of the same size in the same memory.

    onnxruntime refuses to write an output of any other size there.
    """

    def __init__(self, graph: Binds, given: Sequence[str], caches: Mapping[str, str]) -> None:
        """`given` are the outputs to return; `caches` maps those that are caches to the inputs."""
        self._graph = graph
        self._given = list(given)
        self._caches = dict(caches)

    def run(self, feeds: Mapping[str, Tensor], held: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The outputs that are no caches, by name; `held` [R, ..., T, ...] is written into."""
        binding = self._graph.io_binding()
        for name, tensor in feeds.items():
            binding.bind_cpu_input(name, np.ascontiguousarray(tensor))
        for name, tensor in held.items():
            binding.bind_input(name, *_where(tensor))
        for name in self._given:
            binding.bind_output(name, "cpu")
        for name, source in self._caches.items():
            binding.bind_output(name, *_where(held[source]))
        self._graph.run_with_iobinding(binding)
        values = [value.numpy() for value in binding.get_outputs()[: len(self._given)]]
        return dict(zip(self._given, values, strict=True))


def _where(tensor: Tensor) -> tuple[Any, ...]:
    return ("cpu", 0, tensor.dtype, tensor.shape, tensor.ctypes.data)
