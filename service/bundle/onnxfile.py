"""A look into an ONNX file before onnxruntime gets to see it: does it stay within itself?

Weights may be stored outside an ONNX file ("external data"), under a path that the file names: a
bundle from an untrusted place could so read any file of the machine. The format refuses them, and
operators that name files.
"""

from __future__ import annotations

from collections.abc import Iterator

from service.bundle.wire import Field, fields, text

__all__ = ["onnx_problems"]

# Field numbers of onnx.proto (ONNX 1.x; numbers are never reused there).
_MODEL = {7: "graph", 20: "training", 25: "function"}
_GRAPH = {1: "node", 5: "tensor", 15: "sparse"}
_FUNCTION = {7: "node", 11: "attribute"}
_NODE = {5: "attribute"}
_ATTRIBUTE = {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"}
_SPARSE = {1: "tensor", 2: "tensor"}
_TRAINING = {1: "graph", 2: "graph"}
_CHILDREN = {
    "model": _MODEL,
    "graph": _GRAPH,
    "function": _FUNCTION,
    "node": _NODE,
    "attribute": _ATTRIBUTE,
    "sparse": _SPARSE,
    "training": _TRAINING,
    "tensor": {},
}
_IR_VERSION, _GRAPH_OF_MODEL = 1, 7
_OP_TYPE, _TENSOR_NAME, _EXTERNAL_DATA, _DATA_LOCATION = 4, 8, 13, 14
_MAX_DEPTH = 32


def onnx_problems(data: bytes) -> list[str]:
    """Everything that makes the bytes of an ONNX file unfit for a bundle; at most the first ten."""
    found: list[str] = []
    try:
        top = {number for number, _ in fields(data)}
        if not {_IR_VERSION, _GRAPH_OF_MODEL} <= top:
            return ["is no ONNX model"]
        for problem in _scan("model", data, 0):
            found.append(problem)
            if len(found) == 10:
                break
    except ValueError as error:
        found.append(f"is no ONNX model: {error}")
    return list(dict.fromkeys(found))


def _scan(kind: str, message: Field | bytes, depth: int) -> Iterator[str]:
    if isinstance(message, int):
        raise ValueError(f"a number where a {kind} should be")
    if depth > _MAX_DEPTH:
        raise ValueError(f"nested more than {_MAX_DEPTH} deep")
    children, name, outside = _CHILDREN[kind], "", False
    for number, value in fields(message):
        if number in children:
            yield from _scan(children[number], value, depth + 1)
        elif kind == "tensor" and number == _TENSOR_NAME:
            name = text(value)[:100]
        elif kind == "tensor" and (
            number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value != 0)
        ):
            outside = True
        elif kind == "node" and number == _OP_TYPE and text(value) == "EPContext":
            yield "has an EPContext operator, which reads other files"
    if outside:
        yield f"the tensor {name!r} is stored outside the file (external data)"
