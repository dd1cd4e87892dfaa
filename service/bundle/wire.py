"""Reading protobuf messages without their schema: enough to look into ONNX and SentencePiece files.

The bytes come from an untrusted place: every length is checked before it is used, nothing is
copied, and a message that does not parse raises ValueError.
"""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["Field", "fields", "text"]

Field = int | memoryview
"""A value: the unsigned bits of a number, or the bytes of a string or message."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def fields(message: bytes | memoryview) -> Iterator[tuple[int, Field]]:
    """Yield (field number, value) for each field of a message, in the order of the bytes.

    Raises:
        ValueError: where the bytes stop being a protobuf message.
    """
    view = memoryview(message)
    at, end = 0, len(view)
    while at < end:
        key, at = _varint(view, at)
        number, kind = key >> 3, key & 7
        if number == 0:
            raise ValueError("field number 0")
        if kind == _VARINT:
            value, at = _varint(view, at)
            yield number, value
            continue
        if kind == _BYTES:
            size, at = _varint(view, at)
        elif kind in (_FIXED64, _FIXED32):
            size = 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"wire type {kind}")
        if size > end - at:
            raise ValueError("truncated")
        raw = view[at : at + size]
        at += size
        yield number, raw if kind == _BYTES else int.from_bytes(raw, "little")


def text(value: Field) -> str:
    """A string field as text; bytes that are no UTF-8 are replaced."""
    return "" if isinstance(value, int) else bytes(value).decode("utf-8", "replace")


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(view) and shift < 70:
        byte = view[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at
        shift += 7
    raise ValueError("truncated" if shift < 70 else "a varint of more than ten bytes")
