"""A part that is cut out of a graph computes what it computed in the whole."""

import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.bundle.excerpts import Node, OnnxGraph
from tests.support.bundles import FROZEN, FROZEN_CACHES
from tests.unit.bundle.test_onnxfile import message

MODEL = (FROZEN / "decoder.onnx").read_bytes()
FLOATS, IDS = 1, 7  # in the numbers of ONNX


def node(kind: str, reads: list[str], makes: str) -> bytes:
    inputs = [message(1, name.encode()) for name in reads]
    return message(1, *inputs, message(2, makes.encode()), message(4, kind.encode()))


def model(*parts: bytes) -> bytes:
    return message(8, b"opsets") + message(7, *parts)


def makes(nodes: list[Node]) -> list[str]:
    return [name for node in nodes for name in node.makes]


CHAIN = OnnxGraph(
    model(
        message(5, message(8, b"weight")),
        *(message(11, message(1, name)) for name in (b"ids", b"memory", b"token")),
        node("Gather", ["weight", "ids"], "chosen"),
        node("Shape", ["memory"], "size"),
        node("Range", ["size"], "places"),
        node("Transpose", ["memory"], "turned"),
        node("MatMul", ["token", "chosen"], "scores"),
        node("Add", ["scores", "", "places"], "best"),
        node("Neg", ["weight"], "negative"),
        node("Mul", ["turned", "token"], "looked"),
    )
)


def test_what_an_output_does_not_need_is_left_out() -> None:
    assert ["chosen", "size", "places", "scores", "best"] == makes(CHAIN.needed(["best"]))
    assert ["turned", "looked"] == makes(CHAIN.needed(["looked"]))


def test_settled_is_what_follows_from_given_values_sizes_and_weights() -> None:
    """What weights alone make is none of it: onnxruntime computes that when it loads a graph."""
    assert ["chosen", "size", "places"] == makes(CHAIN.settled(CHAIN.nodes, {"ids"}, {"memory"}))
    assert ["chosen"] == makes(CHAIN.settled(CHAIN.nodes, {"ids"}, set()))
    assert ["size", "places", "turned"] == makes(CHAIN.settled(CHAIN.nodes, {"memory"}, set()))


def test_an_input_of_unknown_type_is_refused() -> None:
    scores = [each for each in CHAIN.nodes if "scores" in each.makes]

    with pytest.raises(ValueError, match="'chosen'"):
        CHAIN.excerpt(scores, ["scores"])


def test_loops_and_choices_are_refused() -> None:
    body = message(5, message(1, b"body"), message(6, b""))

    with pytest.raises(ValueError, match="a loop or a choice"):
        OnnxGraph(model(message(1, message(4, b"Loop"), body)))


@pytest.mark.parametrize("path", [FROZEN, FROZEN_CACHES], ids=lambda path: path.parent.name)
def test_two_excerpts_make_what_the_whole_makes(path) -> None:
    """Cut in two anywhere: what the first gives out, the second takes in."""
    data = (path / "decoder.onnx").read_bytes()
    graph = OnnxGraph(data)
    whole = session(data)
    outputs = [output.name for output in whole.get_outputs()]
    feeds = {each.name: example(each) for each in whole.get_inputs()}
    wanted = dict(zip(outputs, whole.run(outputs, feeds), strict=True))

    nodes = graph.needed(outputs)
    for place in range(1, len(nodes), 9):
        read = {name for node in nodes[place:] for name in node.reads}
        handed = [name for name in makes(nodes[:place]) if name in read | set(outputs)]
        first = session(graph.excerpt(nodes[:place], handed))
        types = {each.name: NUMBERS[each.type] for each in first.get_outputs()}
        last = [name for name in makes(nodes[place:]) if name in outputs]
        second = session(graph.excerpt(nodes[place:], last, types))
        found = dict(zip(handed, first.run(handed, taken(first, feeds)), strict=True))
        found |= dict(zip(last, second.run(last, taken(second, feeds | found)), strict=True))

        for name in outputs:
            np.testing.assert_array_equal(found[name], wanted[name])


NUMBERS = {"tensor(float)": FLOATS, "tensor(int64)": IDS, "tensor(bool)": 9, "tensor(int32)": 6}


def session(data: bytes) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def example(described) -> np.ndarray:
    """Something for an input: every size that varies is 2, a cache has room for 16."""
    shape = [{"T": 16}.get(s, 2) if isinstance(s, str) else s for s in described.shape]
    if described.type == "tensor(float)":
        return np.random.default_rng(0).standard_normal(shape, np.float32)
    return np.ones(shape, np.int32 if described.type == "tensor(int32)" else np.int64)


def taken(loaded: ort.InferenceSession, values: dict) -> dict:
    return {each.name: values[each.name] for each in loaded.get_inputs()}


@given(st.integers(0, len(MODEL) - 1), st.integers(0, 255))
def test_damaged_bytes_are_parsed_or_refused_and_nothing_else(place: int, byte: int) -> None:
    damaged = bytearray(MODEL)
    damaged[place] = byte
    try:
        graph = OnnxGraph(bytes(damaged))
    except ValueError:
        return

    assert len(graph.needed(["nothing"])) == 0
