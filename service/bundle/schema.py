"""Strict conversion between frozen dataclasses and plain JSON or TOML data.

One spec object both writes and reads: the dataclass *is* the schema. Every unknown key, missing key and
ill-typed value is reported together, each by its dotted path, so that a file is mended in one go.

Supported field types: ``str``, ``int``, ``float`` (an integer is accepted), ``bool``, ``Literal``, ``list[T]``,
``tuple[T, ...]``, ``dict[str, T]``, unions of those with each other or ``None``, and nested dataclasses. A field with
a default may be left out. A dataclass may define ``validate() -> Iterable[str]`` for rules between its own fields:
it is called once its types are right, and its sentences are reported under the same path.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

__all__ = ["SchemaError", "dump", "parse"]

T = TypeVar("T")

_MISSING = dataclasses.MISSING
_SCALARS: dict[type, str] = {str: "text", int: "an integer", float: "a number", bool: "true or false"}


class SchemaError(ValueError):
    """Data that does not fit its dataclass; ``problems`` has one sentence for each misfit."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems))


def parse(cls: type[T], data: object, *, path: str = "") -> T:
    """Build a ``cls`` from plain data.

    Args:
        cls: a dataclass.
        data: what ``json.loads`` or ``tomllib.loads`` returned.
        path: prefix of the dotted paths in the messages.

    Raises:
        SchemaError: with every problem found, not only the first.
    """
    problems: list[str] = []
    value = _read(cls, data, path, problems)
    if problems:
        raise SchemaError(problems)
    return typing.cast(T, value)


def dump(value: object) -> Any:
    """The plain data that ``parse`` reads back as an equal value."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: dump(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {key: dump(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [dump(item) for item in value]
    return value


def _read(kind: Any, data: object, path: str, problems: list[str]) -> Any:
    """Convert ``data`` to ``kind``; on a misfit note the problem and return None."""
    origin = typing.get_origin(kind)
    if dataclasses.is_dataclass(kind):
        return _read_record(kind, data, path, problems)
    if origin in (typing.Union, types.UnionType):
        return _read_union(kind, data, path, problems)
    if origin is typing.Literal:
        choices = typing.get_args(kind)
        if not any(type(data) is type(choice) and data == choice for choice in choices):
            problems.append(f"{path}: must be one of {_listing(choices)}, not {data!r}")
        return data
    if origin in (list, tuple):
        if not isinstance(data, list | tuple):
            return _misfit("a list", data, path, problems)
        item = typing.get_args(kind)[0]
        return origin(_read(item, x, f"{path}[{i}]", problems) for i, x in enumerate(data))
    if origin is dict:
        if not isinstance(data, dict):
            return _misfit("a table", data, path, problems)
        item = typing.get_args(kind)[1]
        return {str(key): _read(item, x, _join(path, key), problems) for key, x in data.items()}
    return _read_scalar(kind, data, path, problems)


def _read_record(cls: Any, data: object, path: str, problems: list[str]) -> Any:
    if not isinstance(data, dict):
        return _misfit("a table", data, path or cls.__name__, problems)
    before = len(problems)
    fields = {f.name: f for f in dataclasses.fields(cls) if f.init}
    hints = typing.get_type_hints(cls)
    for key in data:
        if key not in fields:
            problems.append(f"{_join(path, key)}: unknown key (known: {', '.join(fields)})")
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if name in data:
            values[name] = _read(hints[name], data[name], _join(path, name), problems)
        elif field.default is _MISSING and field.default_factory is _MISSING:
            problems.append(f"{_join(path, name)}: missing")
    if len(problems) > before:
        return None
    record = cls(**values)
    rules: Iterable[str] = record.validate() if hasattr(record, "validate") else ()
    problems.extend(f"{path}: {rule}" if path else rule for rule in rules)
    return record


def _read_union(kind: Any, data: object, path: str, problems: list[str]) -> Any:
    alternatives = typing.get_args(kind)
    if data is None and type(None) in alternatives:
        return None
    attempts: list[list[str]] = []
    for alternative in (a for a in alternatives if a is not type(None)):
        attempt: list[str] = []
        value = _read(alternative, data, path, attempt)
        # An integer fits `float`, but `int | float` must keep it an integer: exact types come first.
        if not attempt and (type(value) is type(data) or float not in alternatives):
            return value
        attempts.append(attempt)
    fitting = [a for a in attempts if not a]
    if fitting:
        return _read(float, data, path, problems)
    if len(attempts) == 1:
        problems.extend(attempts[0])
        return None
    names = " or ".join(_SCALARS.get(a, getattr(a, "__name__", str(a))) for a in alternatives)
    return _misfit(names, data, path, problems)


def _read_scalar(kind: Any, data: object, path: str, problems: list[str]) -> Any:
    if kind is Any or kind is object:
        return data
    if kind is float and type(data) is int:
        return float(data)
    if type(data) is not kind:  # exact: True is not the integer 1
        return _misfit(_SCALARS.get(kind, str(kind)), data, path, problems)
    return data


def _misfit(wanted: str, data: object, path: str, problems: list[str]) -> None:
    shown = repr(data)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    problems.append(f"{path}: must be {wanted}, not {shown}")


def _join(path: str, key: object) -> str:
    return f"{path}.{key}" if path else str(key)


def _listing(values: Iterable[object]) -> str:
    return ", ".join(repr(value) for value in values)
