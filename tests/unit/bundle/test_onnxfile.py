"""ONNX files that reach outside themselves are found, without the onnx package."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.bundle.onnxfile import onnx_problems
from service.bundle.wire import fields
from tests.support.bundles import FROZEN

MODEL = (FROZEN / "decoder.onnx").read_bytes()


def varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def message(number: int, *parts: bytes) -> bytes:
    """A field that holds bytes."""
    body = b"".join(parts)
    return varint(number << 3 | 2) + varint(len(body)) + body


def integer(number: int, value: int) -> bytes:
    return varint(number << 3) + varint(value)


NAME = message(8, b"weights")
EXTERNAL = NAME + integer(14, 1)
LOCATED = NAME + message(13, message(1, b"location"), message(2, b"../../etc/passwd"))
ATTRIBUTE = message(1, b"value")

HIDING_PLACES = {
    "an initializer": message(7, message(5, EXTERNAL)),
    "an initializer with a location": message(7, message(5, LOCATED)),
    "a sparse initializer": message(7, message(15, message(1, EXTERNAL))),
    "the indices of a sparse initializer": message(7, message(15, message(2, EXTERNAL))),
    "a constant node": message(7, message(1, message(5, ATTRIBUTE, message(5, EXTERNAL)))),
    "a list of tensors": message(7, message(1, message(5, ATTRIBUTE, message(10, EXTERNAL)))),
    "a sparse constant": message(7, message(1, message(5, message(22, message(1, EXTERNAL))))),
    "a subgraph": message(7, message(1, message(5, message(6, message(5, EXTERNAL))))),
    "a list of subgraphs": message(7, message(1, message(5, message(11, message(5, EXTERNAL))))),
    "a function": message(25, message(7, message(5, message(5, EXTERNAL)))),
    "training information": message(20, message(1, message(5, EXTERNAL))),
}


def test_a_model_that_stays_within_itself_is_fit() -> None:
    assert [] == onnx_problems(MODEL)


@pytest.mark.parametrize("hidden", HIDING_PLACES.values(), ids=HIDING_PLACES)
def test_external_data_is_found_wherever_it_hides(hidden: bytes) -> None:
    """Bytes behind a protobuf message are merged into it: what is appended is part of the model."""
    expected = ["the tensor 'weights' is stored outside the file (external data)"]

    assert expected == onnx_problems(MODEL + hidden)


def test_operators_that_name_files_are_found() -> None:
    [found] = onnx_problems(MODEL + message(7, message(1, message(4, b"EPContext"))))

    assert "EPContext" in found


@pytest.mark.parametrize("data", [b"", b"garbage", b"PK\x03\x04", MODEL[:-7], MODEL[:1000]])
def test_what_is_no_model_is_said_to_be_none(data: bytes) -> None:
    [found] = onnx_problems(data)

    assert found.startswith("is no ONNX model")


def test_endless_nesting_is_cut_off() -> None:
    inner = b""
    for _ in range(200):
        inner = message(1, message(5, message(6, inner)))

    [found] = onnx_problems(MODEL + message(7, inner))

    assert "nested more than 32 deep" in found


@given(data=st.binary(max_size=200))
def test_no_bytes_whatsoever_bring_the_scan_down(data: bytes) -> None:
    onnx_problems(data)
    onnx_problems(MODEL + data)


@given(
    parts=st.lists(
        st.tuples(st.integers(1, 2**28), st.integers(0, 2**64 - 1) | st.binary(max_size=20))
    )
)
def test_what_was_encoded_is_what_is_read(parts: list[tuple[int, int | bytes]]) -> None:
    data = b"".join(integer(n, v) if isinstance(v, int) else message(n, v) for n, v in parts)

    assert parts == [(n, v if isinstance(v, int) else bytes(v)) for n, v in fields(data)]


def test_fixed_width_numbers_are_read() -> None:
    data = varint(1 << 3 | 5) + b"\1\0\0\0" + varint(2 << 3 | 1) + b"\2\0\0\0\0\0\0\0"

    assert [(1, 1), (2, 2)] == list(fields(data))


@pytest.mark.parametrize(
    "data", [b"\x80" * 11, b"\x08", b"\x0a\x05ab", b"\x00\x00", b"\x0b", b"\x80"]
)
def test_what_is_no_message_raises(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"truncated|varint|field number|wire type"):
        list(fields(data))
