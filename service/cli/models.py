"""`parley models`: what a server has loaded, with state and quality."""

import argparse
import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from service.cli.connection import add_server_options

if TYPE_CHECKING:
    from service.rpc.pb.parley.v1 import translation_pb2 as pb

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
    from service.client import Client

    with Client(args.server, timeout=args.timeout, retries=0) as client:
        models = client.models()
    print(_as_json(models) if args.json else _as_table(models))
    return 0


def _as_json(models: Iterable["pb.Model"]) -> str:
    from google.protobuf import json_format

    listed = [
        json_format.MessageToDict(
            each, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
        )
        for each in models
    ]
    return json.dumps(listed, ensure_ascii=False, indent=2)


def _as_table(models: Sequence["pb.Model"]) -> str:
    if not models:
        return "the server has no models; publish one into the directory it serves"
    rows = [_HEADINGS, *(_row(each) for each in models)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    lines = [_line(rows[0], widths)]
    for model, row in zip(models, rows[1:], strict=True):
        lines.append(_line(row, widths))
        lines += [f"    {line}" for line in model.reason.splitlines()]
    return "\n".join(lines)


def _row(model: "pb.Model") -> tuple[str, ...]:
    from service.rpc.pb.parley.v1 import translation_pb2 as pb

    state = pb.ModelState.Name(model.state).removeprefix("MODEL_STATE_").lower()
    pair = (model.source_language_code, model.target_language_code)
    return (
        model.name,
        f"{model.version}{' *' if model.serving else ''}",
        state,
        " -> ".join(pair) if any(pair) else "",
        ", ".join(f"{each.metric} {each.value:.4g}" for each in model.quality),
    )


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
    return "  ".join(cells).rstrip()
