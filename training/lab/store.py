"""Parts that are done, kept as JSON: a run that was stopped does only the rest.

A part is made again when what it was made from has changed: sizes, seed, recipes, versions.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from service import __version__

__all__ = ["Missing", "Store", "write_text"]

Numbers = dict[str, Any]


class Missing(LookupError):
    """A part that is not there and is not to be made."""


class Store:
    """A folder of finished parts. ``seconds`` is what those asked for took when they were made.

    Only parts below ``makes`` are made; others may be found.
    """

    def __init__(self, folder: Path, makes: Sequence[str]) -> None:
        self.folder = folder
        self.makes = makes
        self.seconds = 0.0

    def part(
        self, name: str, settings: Mapping[str, Any], make: Callable[[], Numbers]
    ) -> tuple[Numbers, bool]:
        """The numbers of a part, and whether they were there already.

        Raises:
            Missing: they were not, and are not to be made.
        """
        path = self.folder / f"{name.replace('/', '.')}.json"
        # As JSON has them, or what was read would not equal what was written.
        wanted = json.loads(json.dumps({**settings, "parley": __version__}, default=str))
        kept = _read(path)
        if kept and kept.get("settings") == wanted:
            self.seconds += kept["seconds"]
            return kept["numbers"], True
        if name.partition("/")[0] not in self.makes:
            raise Missing(name)
        started = time.monotonic()
        numbers = json.loads(json.dumps(make()))
        seconds = round(time.monotonic() - started, 1)
        content = {"settings": wanted, "seconds": seconds, "numbers": numbers}
        write_text(path, json.dumps(content))
        self.seconds += seconds
        return numbers, False


def write_text(path: Path, text: str) -> None:
    """All of it or nothing: a reader never sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # none, or one that was written by something else
        return None
