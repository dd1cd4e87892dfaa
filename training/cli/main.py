"""Runs a command, and turns what goes wrong into one line and an exit code."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from training.cli import commands
from training.cli.arguments import make_parser
from training.data.cleaning import cli as cleaning

__all__ = ["main"]


def main(argv: list[str] | None = None) -> int:
    """Run a command; 0 done, 1 failed, 2 used wrongly."""
    args = make_parser().parse_args(argv)
    if args.command is commands.prepare and args.recipe.suffix != ".toml":
        return _clean(args)
    # torch takes seconds to import: --help and mistakes in the arguments do not wait for it.
    from service.bundle import BundleError
    from training.checkpoint import CheckpointError
    from training.config import RecipeError
    from training.data.corpus import CorpusError
    from training.export import ExportError, ParityError
    from training.parallel import joined_team
    from training.runtime import prepare_process
    from training.trainer import Diverged, Interrupted

    prepare_process()
    command: Callable[[argparse.Namespace], None] = args.command
    try:
        with joined_team():
            command(args)
    except RecipeError as error:
        return _fail(error, 2)
    except (
        BundleError,
        CheckpointError,
        CorpusError,
        Diverged,
        ExportError,
        Interrupted,
        OSError,
        ParityError,
    ) as error:
        return _fail(error, 1)
    except KeyboardInterrupt:
        return _fail("interrupted", 1)
    return 0


def _clean(args: argparse.Namespace) -> int:
    """``prepare`` for raw pairs, which waits for no torch."""
    from training.data.corpus import CorpusError

    if args.changes:
        return _fail("--set changes a recipe; raw pairs have --limit and --without", 2)
    try:
        cleaning.run(args)
    except argparse.ArgumentTypeError as error:
        return _fail(error, 2)
    except (CorpusError, OSError) as error:
        return _fail(error, 1)
    except KeyboardInterrupt:
        return _fail("interrupted; nothing was written", 1)
    return 0


def _fail(error: object, code: int) -> int:
    commands.say(f"parley-train: {error}")
    return code
