"""Requests that cannot be read: found at the deserializer, answered like any other bad request.

Left alone, gRPC answers a message that does not parse with UNKNOWN and the name of a Python class.
Here the deserializer hands on an `Unreadable` in place of the request, and the call ends with an
InvalidArgument that says what is wrong with which field.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError

from service.errors import InvalidArgument

__all__ = ["Unreadable", "tolerant"]

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Stands in for a request that could not be read."""

    error: InvalidArgument


def tolerant(
    read: Callable[[bytes], object], kind: Descriptor, max_bytes: int
) -> Callable[[bytes], object]:
    """A deserializer that never raises: it returns what `read` makes of the bytes, or Unreadable.

    `kind` describes the message that `read` makes.
    """

    def deserialize(data: bytes) -> object:
        if len(data) > max_bytes:
            return Unreadable(
                InvalidArgument(
                    "request",
                    f"has {len(data)} bytes; the limit is {max_bytes}. Send fewer texts at once.",
                )
            )
        try:
            return read(data)
        except DecodeError:
            return Unreadable(_explain(data, kind))

    return deserialize


def _explain(data: bytes, kind: Descriptor) -> InvalidArgument:
    """Why `data` is no message of this kind: text that is not UTF-8, or no protobuf at all."""
    counts: dict[int, int] = {}
    try:
        for number, value in _fields(data):
            field = kind.fields_by_number.get(number)
            if field is None or field.type != FieldDescriptor.TYPE_STRING:
                continue
            index = counts[number] = counts.get(number, -1) + 1
            try:
                value.decode()
            except UnicodeDecodeError as error:
                name = f"{field.name}[{index}]" if field.is_repeated else field.name
                return InvalidArgument(
                    name,
                    f"is not UTF-8: byte 0x{value[error.start]:02x} at offset {error.start} "
                    f"({error.reason})",
                )
    except (ValueError, IndexError):
        pass
    return InvalidArgument("request", f"the {len(data)} bytes are no {kind.full_name} message")


def _fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(number, content) of the length-delimited fields of the outermost message.

    Raises ValueError or IndexError where the bytes make no sense.
    """
    place = 0
    while place < len(data):
        key, place = _varint(data, place)
        kind = key & 7
        if kind == _BYTES:
            size, place = _varint(data, place)
            if place + size > len(data):
                raise ValueError("a field ends beyond its message")
            yield key >> 3, data[place : place + size]
            place += size
        elif kind == _VARINT:
            _, place = _varint(data, place)
        elif kind in (_FIXED32, _FIXED64):
            place += 4 if kind == _FIXED32 else 8
        else:
            raise ValueError("groups are not used")


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise ValueError("a number is too long")
