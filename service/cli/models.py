"""`parley models`: what a server has loaded, with state and quality."""

import argparse
import json
from collections.abc import Sequence
from typing import Any

from service.cli.connection import add_server_options

__all__ = ["add_parser"]

_DESCRIPTION = """\
List every model version that the server knows: its state, whether it answers when only the model's
name is given (*), its languages and its measured quality. A version that could not be loaded says
why."""

_HEADINGS = ("MODEL", "VERSION", "STATE", "LANGUAGES", "QUALITY")


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `models` to the subcommands of `parley`."""
    parser = subparsers.add_parser(
        "models",
        help="list the models of a server",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_server_options(parser)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the list; returns the exit code. Raises CallFailed."""
    from service.client import Client, as_dict

    with Client(args.server, timeout=args.timeout, retries=0) as client:
        models = [as_dict(each, with_defaults=True) for each in client.models()]
    print(json.dumps(models, ensure_ascii=False, indent=2) if args.json else _table(models))
    return 0


def _table(models: Sequence[dict[str, Any]]) -> str:
    if not models:
        return "the server has no models; publish one into the directory it serves"
    rows = [_HEADINGS, *(_row(each) for each in models)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    lines = [_line(rows[0], widths)]
    for model, row in zip(models, rows[1:], strict=True):
        lines.append(_line(row, widths))
        lines += [f"    {line}" for line in model["reason"].splitlines()]
    return "\n".join(lines)


def _row(model: dict[str, Any]) -> tuple[str, ...]:
    pair = (model["source_language_code"], model["target_language_code"])
    return (
        model["name"],
        f"{model['version']}{' *' if model['serving'] else ''}",
        model["state"].removeprefix("MODEL_STATE_").lower(),
        " -> ".join(pair) if any(pair) else "",
        ", ".join(f"{each['metric']} {each['value']:.4g}" for each in model["quality"]),
    )


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
    return "  ".join(cells).rstrip()
