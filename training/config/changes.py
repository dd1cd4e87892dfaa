"""Recipes that serve for more than one model: parameters, and changes from the command line.

A recipe may have a table ``[parameters]`` of names and texts; ``{name}`` in any text of the recipe
stands for that text. A change is ``key=value`` with a dotted key, such as
``parameters.language=kor`` or ``optim.rate=2e-3``; the value is written as in TOML, or is plain
text.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["ChangeError", "changed", "filled_in", "to_toml"]

_PLACE = re.compile(r"\{(\w+)\}")


class ChangeError(ValueError):
    """A change that says nothing, or a parameter that nothing is known of."""


def changed(plain: dict[str, Any], changes: Sequence[str]) -> dict[str, Any]:
    """The recipe with each change made, in their order; what ``parse`` thinks of it comes later.

    Raises:
        ChangeError: one is not ``key=value``, or leads through something that is no table.
    """
    for change in changes:
        key, equals, value = change.partition("=")
        path = key.strip().split(".")
        if not equals or not all(path):
            raise ChangeError(f"{change!r} is not KEY=VALUE")
        table = plain
        for name in path[:-1]:
            table = table.setdefault(name, {})
            if not isinstance(table, dict):
                raise ChangeError(f"{change!r}: {name!r} is no table")
        table[path[-1]] = _value(value.strip())
    return plain


def filled_in(plain: dict[str, Any]) -> dict[str, Any]:
    """The recipe with its own parameters in their places.

    Raises:
        ChangeError: a text asks for a parameter that the recipe does not have.
    """
    known = plain.get("parameters")
    if not isinstance(known, dict):
        return plain
    return {
        key: value if key == "parameters" else _filled(value, known) for key, value in plain.items()
    }


def to_toml(plain: Mapping[str, Any]) -> str:
    """A recipe as text: first what is no table, then the tables."""
    scalars = {key: value for key, value in plain.items() if not isinstance(value, dict)}
    tables = {key: value for key, value in plain.items() if isinstance(value, dict)}
    parts = [_lines(scalars), *(f"[{key}]\n{_lines(value)}" for key, value in tables.items())]
    return "\n".join(parts)


def _lines(table: Mapping[str, Any]) -> str:
    # Whatever JSON says of text, numbers, truth and lists of them, TOML says too.
    return "".join(
        f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in table.items()
    )


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, KeyError):
        return text


def _filled(value: Any, known: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        return _PLACE.sub(lambda place: _parameter(place[1], known), value)
    if isinstance(value, list):
        return [_filled(each, known) for each in value]
    if isinstance(value, dict):
        return {key: _filled(each, known) for key, each in value.items()}
    return value


def _parameter(name: str, known: Mapping[str, Any]) -> str:
    if name not in known:
        raise ChangeError(f"{{{name}}} is none of the parameters ({', '.join(known) or 'none'})")
    return str(known[name])
