"""Writing an ONNX graph node by node: values are names, operators are calls.

Built by hand rather than traced, because the serving engine wants exact shapes of things that no
tracer produces: top-k inside the step, integer arithmetic with fixed scales, a recurrence whose
weights are shared with nothing else. Parity with torch is checked on every export.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

__all__ = ["CONTRIB", "GraphBuilder", "Shape"]

CONTRIB = "com.microsoft"
_OPSET, _CONTRIB_OPSET, _IR_VERSION = 21, 1, 10
_TYPES = {
    "float32": TensorProto.FLOAT,
    "int64": TensorProto.INT64,
    "int32": TensorProto.INT32,
    "bool": TensorProto.BOOL,
}

Shape = Sequence[str | int]


class GraphBuilder:
    """Collects nodes in the order in which they are computed.

    A child (``subgraph``) is the body of a loop. It keeps its own constants: onnxruntime rewrites a
    product for the processor it is on only where it sees the weights in the same graph.
    """

    def __init__(self, names: Iterator[int] | None = None) -> None:
        self._names = names or itertools.count(1)
        self._nodes: list[onnx.NodeProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._initializers: list[onnx.TensorProto] = []
        self._made: set[str] = set()  # by a node of this graph, and not given out yet
        self._given: dict[str, str] = {}  # value -> the name under which it is given out

    def subgraph(self) -> GraphBuilder:
        """An empty body, whose names differ from all names here."""
        return GraphBuilder(self._names)

    def input(self, name: str, dtype: str, shape: Shape) -> str:
        """Declare an input of the graph, or of the loop's body."""
        self._inputs.append(helper.make_tensor_value_info(name, _TYPES[dtype], list(shape)))
        return name

    def output(self, name: str, value: str, dtype: str, shape: Shape) -> None:
        """Give ``value`` out under ``name``: it is called so from the start, for a copy takes time.

        What is no node's own, or is given out already, has to be copied.
        """
        if value in self._made and value not in self._given:
            self._given[value] = name
        else:
            self._nodes.append(helper.make_node("Identity", [value], [name]))
        self._outputs.append(helper.make_tensor_value_info(name, _TYPES[dtype], list(shape)))

    def constant(self, array: NDArray[Any], hint: str = "constant") -> str:
        """The name of a constant; equal ones are stored once."""
        array = np.ascontiguousarray(array)
        key = (str(array.dtype), array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = self.fresh(hint)
            self._initializers.append(numpy_helper.from_array(array, self._constants[key]))
        return self._constants[key]

    def ints(self, *values: int) -> str:
        """A constant int64 vector."""
        return self.constant(np.array(values, np.int64), "ints")

    def op(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node with one output and return that output's name."""
        return self.ops(kind, *inputs, outputs=1, domain=domain, **attributes)[0]

    def ops(
        self, kind: str, *inputs: str, outputs: int, domain: str = "", **attributes: Any
    ) -> list[str]:
        """Add a node with several outputs."""
        names = [self.fresh(kind.lower()) for _ in range(outputs)]
        self._nodes.append(helper.make_node(kind, list(inputs), names, domain=domain, **attributes))
        self._made.update(names)
        return names

    def fresh(self, hint: str) -> str:
        """A name that nothing else has, in this graph or a body of it."""
        return f"{hint}_{next(self._names)}"

    def body(self, name: str) -> onnx.GraphProto:
        """This graph by itself, as the attribute of a loop."""
        nodes = [self._renamed(node) for node in self._nodes]
        return helper.make_graph(nodes, name, self._inputs, self._outputs, self._initializers)

    def _renamed(self, node: onnx.NodeProto) -> onnx.NodeProto:
        """The node, calling what is given out by its name outside."""
        renamed = onnx.NodeProto()
        renamed.CopyFrom(node)
        for names in (renamed.input, renamed.output):
            names[:] = [self._given.get(name, name) for name in names]
        return renamed

    def model(self, name: str) -> bytes:
        """The finished, checked model, serialised.

        Raises:
            onnx.checker.ValidationError: the graph is not well formed.
        """
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(CONTRIB, _CONTRIB_OPSET)]
        model = helper.make_model(
            self.body(name), opset_imports=opsets, ir_version=_IR_VERSION, producer_name="parley"
        )
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString())
