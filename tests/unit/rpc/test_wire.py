"""Bytes that are no request are answered in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.rpc.pb.parley.v1 import translation_pb2 as pb
from service.rpc.wire import Unreadable, tolerant

READ = tolerant(pb.TranslateRequest.FromString, pb.TranslateRequest.DESCRIPTOR, 100)


def told(data: bytes) -> tuple[str, str]:
    found = READ(data)
    assert isinstance(found, Unreadable)
    return found.error.field, found.error.message


def field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2, len(content)]) + content


def test_a_request_is_read():
    request = pb.TranslateRequest(contents=["Hallo"], model="m")

    assert request == READ(request.SerializeToString())


def test_text_that_is_not_utf8_names_the_text_the_byte_and_the_place():
    data = field(1, b"Hallo") + field(3, b"text/plain") + field(1, b"gr\xfc\xdfe")

    assert (
        "contents[1]",
        "is not UTF-8: byte 0xfc at offset 2 (invalid start byte)",
    ) == told(data)


def test_a_single_field_has_no_index():
    assert "model" == told(field(1, b"Hallo") + field(6, b"\xff"))[0]


@pytest.mark.parametrize("data", [b"\xff", b"\x0a\x7fabc", b"\x0b", b"\x0a" + b"\xff" * 12])
def test_what_is_no_protobuf_is_called_so(data):
    name, message = told(data)

    assert "request" == name
    assert message.endswith("are no parley.v1.TranslateRequest message")


def test_a_request_beyond_the_limit_names_limit_and_value():
    assert ("request", "has 101 bytes; the limit is 100. Send fewer texts at once.") == told(
        b"\0" * 101
    )


@given(st.binary(max_size=90))
def test_no_bytes_upset_the_reader(data):
    found = READ(data)

    assert isinstance(found, pb.TranslateRequest | Unreadable)
