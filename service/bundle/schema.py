"""Strict conversion between frozen dataclasses and plain JSON or TOML data.

One spec object both writes and reads: the dataclass *is* the schema. Every unknown key, missing key
and ill-typed value is reported together, each by its dotted path, so that a file is mended in one
go.

Supported field types: ``str``, ``int``, ``float`` (an integer is accepted), ``bool``, ``Literal``,
``list[T]``, ``tuple[T, ...]``, ``dict[str, T]``, unions of those with each other or ``None``, and
nested dataclasses. A field with a default may be left out. A dataclass may define ``validate() ->
Iterable[str]`` for rules between its own fields:
it is called once its types are right, and its sentences are reported under the same path.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

__all__ = ["SchemaError", "dump", "parse"]

T = TypeVar("T")

_MISSING = dataclasses.MISSING
_SCALARS: dict[type, str] = {
    str: "text",
    int: "an integer",
    float: "a number",
    bool: "true or false",
}


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
    reader = _READERS.get(origin, _read_scalar)
    return reader(kind, data, path, problems)


def _read_record(cls: Any, data: object, path: str, problems: list[str]) -> Any:
    if not isinstance(data, dict):
        return _misfit("a table", data, path or cls.__name__, problems)
    before = len(problems)
    fields = {f.name: f for f in dataclasses.fields(cls) if f.init}
    hints = typing.get_type_hints(cls)
    for key in data:
        if key not in fields:
            known = ", ".join(fields)
            problems.append(f"{_join(path, key)}: unknown key (known: {known})")
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
    """The first alternative that fits; an exact scalar type goes before a convertible one."""
    alternatives = typing.get_args(kind)
    if data is None and type(None) in alternatives:
        return None
    wanted = [a for a in alternatives if a is not type(None)]
    wanted.sort(key=lambda alternative: alternative is not type(data))
    misfits: list[list[str]] = []
    for alternative in wanted:
        found: list[str] = []
        value = _read(alternative, data, path, found)
        if not found:
            return value
        misfits.append(found)
    if len(wanted) == 1:
        problems.extend(misfits[0])
        return None
    names = " or ".join(_SCALARS.get(a, getattr(a, "__name__", str(a))) for a in wanted)
    return _misfit(names, data, path, problems)


def _read_literal(kind: Any, data: object, path: str, problems: list[str]) -> Any:
    choices = typing.get_args(kind)
    if not any(type(data) is type(choice) and data == choice for choice in choices):
        problems.append(f"{path}: must be one of {_listing(choices)}, not {data!r}")
    return data


def _read_sequence(kind: Any, data: object, path: str, problems: list[str]) -> Any:
    if not isinstance(data, list | tuple):
        return _misfit("a list", data, path, problems)
    item = typing.get_args(kind)[0]
    made: type = typing.get_origin(kind)
    return made(_read(item, x, f"{path}[{i}]", problems) for i, x in enumerate(data))


def _read_table(kind: Any, data: object, path: str, problems: list[str]) -> Any:
    if not isinstance(data, dict):
        return _misfit("a table", data, path, problems)
    item = typing.get_args(kind)[1]
    return {str(key): _read(item, x, _join(path, key), problems) for key, x in data.items()}


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


_READERS: dict[Any, Callable[[Any, object, str, list[str]], Any]] = {
    typing.Union: _read_union,
    types.UnionType: _read_union,
    typing.Literal: _read_literal,
    list: _read_sequence,
    tuple: _read_sequence,
    dict: _read_table,
}
