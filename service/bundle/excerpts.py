"""Parts of an ONNX graph: what some outputs need, and what of that a few inputs settle.

onnxruntime runs a graph as a whole, whichever outputs are asked for. Who wants less, or does not
want the same values made again and again, cuts out the part that counts. Nodes and weights are
taken over byte by byte.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from service.bundle.wire import Field, fields, text

__all__ = ["Node", "OnnxGraph"]

# Field numbers of onnx.proto (ONNX 1.x; numbers are never reused there).
_GRAPH_OF_MODEL = 7
_NODE, _NAME, _WEIGHT, _INPUT, _OUTPUT = 1, 2, 5, 11, 12
_NODE_INPUT, _NODE_OUTPUT, _NODE_KIND, _NODE_ATTRIBUTE = 1, 2, 4, 5
_BODIES = {6, 11}  # of an attribute: one graph, or several
_WEIGHT_NAME, _VALUE_NAME, _VALUE_TYPE = 8, 1, 2
_TENSOR_TYPE, _ELEMENT_TYPE = 1, 1

_Message = Iterable[tuple[int, Field | bytes]]


@dataclass(frozen=True, eq=False, slots=True)
class Node:
    """One operation: its kind, the names of what it reads, and of what it makes."""

    kind: str
    reads: tuple[str, ...]
    makes: tuple[str, ...]
    raw: memoryview


class OnnxGraph:
    """The graph of a model file, whose nodes stand in the order in which they can be run."""

    def __init__(self, model: bytes) -> None:
        """Raises ValueError for what is no ONNX model, or has loops or choices in it."""
        self._model = [(number, v) for number, v in fields(model) if number != _GRAPH_OF_MODEL]
        [graph] = [value for number, value in fields(model) if number == _GRAPH_OF_MODEL]
        self.nodes: list[Node] = []
        self._inputs: dict[str, memoryview] = {}
        self._outputs: dict[str, memoryview] = {}
        self._weights: dict[str, memoryview] = {}
        for number, value in fields(_message(graph)):
            if number == _NODE:
                self.nodes.append(_node(_message(value)))
            elif number == _WEIGHT:
                self._weights[_text(value, _WEIGHT_NAME)] = _message(value)
            elif number == _INPUT:
                self._inputs[_text(value, _VALUE_NAME)] = _message(value)
            elif number == _OUTPUT:
                self._outputs[_text(value, _VALUE_NAME)] = _message(value)

    def needed(self, outputs: Iterable[str]) -> list[Node]:
        """The nodes without which ``outputs`` cannot be made."""
        wanted = set(outputs)
        found: list[Node] = []
        for node in reversed(self.nodes):
            if not wanted.isdisjoint(node.makes):
                wanted.update(node.reads)
                found.append(node)
        return found[::-1]

    def settled(
        self, nodes: Iterable[Node], given: Collection[str], sized: Collection[str]
    ) -> list[Node]:
        """Those of ``nodes`` whose values follow from weights, the values of ``given`` and the
        sizes of ``sized`` alone.
        """
        follows = set(given)
        found: list[Node] = []
        for node in nodes:
            varying = [name for name in node.reads if name not in self._weights]
            known = follows.union(sized) if node.kind == "Shape" else follows
            if varying and known.issuperset(varying):
                follows.update(node.makes)
                found.append(node)
        return found

    def excerpt(
        self,
        nodes: Sequence[Node],
        outputs: Iterable[str],
        element_types: Mapping[str, int] | None = None,
    ) -> bytes:
        """A model of ``nodes`` alone. What they read and do not make is an input; one that is no
        input of this graph has the type of ``element_types`` (numbers of onnx.proto).

        Raises:
            ValueError: for an input whose type nothing tells.
        """
        made = {name for node in nodes for name in node.makes}
        read = dict.fromkeys(name for node in nodes for name in node.reads if name not in made)
        types = element_types or {}
        graph: list[tuple[int, Field | bytes]] = [(_NODE, node.raw) for node in nodes]
        graph.append((_NAME, b"excerpt"))
        for name in read:
            if name in self._weights:
                graph.append((_WEIGHT, self._weights[name]))
            elif name in self._inputs:
                graph.append((_INPUT, self._inputs[name]))
            elif name in types:
                graph.append((_INPUT, _value(name, types[name])))
            else:
                raise ValueError(f"nothing tells the type of {name!r}")
        # A value that was no output before has no description; onnxruntime finds its type.
        graph += [(_OUTPUT, self._outputs.get(name, _value(name))) for name in outputs]
        return _encoded([*self._model, (_GRAPH_OF_MODEL, _encoded(graph))])


def _node(message: memoryview) -> Node:
    reads, makes, kind = [], [], ""
    for number, value in fields(message):
        if number == _NODE_INPUT:
            reads.append(text(value))
        elif number == _NODE_OUTPUT:
            makes.append(text(value))
        elif number == _NODE_KIND:
            kind = text(value)
        elif number == _NODE_ATTRIBUTE and any(n in _BODIES for n, _ in fields(_message(value))):
            raise ValueError("a loop or a choice")
    # What is left out has an empty name.
    return Node(kind, tuple(filter(None, reads)), tuple(filter(None, makes)), message)


def _message(value: Field) -> memoryview:
    if isinstance(value, int):
        raise ValueError("a number where a message should be")
    return value


def _text(message: Field, field: int) -> str:
    return next((text(v) for number, v in fields(_message(message)) if number == field), "")


def _value(name: str, element_type: int | None = None) -> bytes:
    """The description of an input or output, of any shape."""
    described: list[tuple[int, Field | bytes]] = [(_VALUE_NAME, name.encode())]
    if element_type is not None:
        tensor = _encoded([(_ELEMENT_TYPE, element_type)])
        described.append((_VALUE_TYPE, _encoded([(_TENSOR_TYPE, tensor)])))
    return _encoded(described)


def _encoded(message: _Message) -> bytes:
    parts: list[bytes | memoryview] = []
    for number, value in message:
        if isinstance(value, int):
            parts += [_varint(number << 3), _varint(value)]
        else:
            parts += [_varint(number << 3 | 2), _varint(len(value)), value]
    return b"".join(parts)


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
