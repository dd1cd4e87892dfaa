"""The arguments of ``parley-train lab``."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable
from pathlib import Path

__all__ = ["DESCRIPTION", "EPILOG", "add_arguments", "run"]

# Said here too, since the plan would bring torch along.
_PARTS = ("gradients", "strings", "texts", "published", "costs")

DESCRIPTION = """\
lab: measure the argument from the plain recurrent network to the Transformer, and report it.

parts:
  gradients  how far back a gradient reaches in a plain, LSTM and GRU layer
  strings    copying and reversing strings, by length, for each rung of the ladder
  texts      real sentences with and without attention, by length; attention maps
  published  attention maps of a published model (--model)
  costs      parameters, training speed, decoding speed of every recipe of the ladder
"""
EPILOG = """\
examples:
  parley-train lab
      everything, in about ten minutes, with generated dates for sentences; the report is
      runs/lab/README.md
  parley-train lab --quick --out runs/look
      a look in two minutes: fewer rungs, shorter strings
  parley-train lab --tsv deu.txt --columns 1,0
      sentences of your own: one pair a line, columns from 0, here the second one the source.
      One source in twenty is held out for the scores; name others with --dev
  parley-train lab --only costs
      these parts anew or for the first time; what earlier runs left in --out stays in the report

A run that was stopped goes on where it was: each part is kept in OUT/parts as soon as it is done.
The same seed gives the same numbers (speeds apart): minutes become steps by a fixed rate.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of the command."""
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("runs/lab"),
        metavar="DIR",
        help="where README.md, its plots and numbers.json are written (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="default: %(default)s")
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--minutes",
        type=_minutes,
        default=10.0,
        metavar="M",
        help="about how long it may take on two cores: training is cut to fit (default: 10)",
    )
    size.add_argument("--quick", action="store_true", help="a look in two minutes")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=_PARTS,
        default=list(_PARTS),
        metavar="PART",
        help=f"some parts: {', '.join(_PARTS)}",
    )
    parser.add_argument(
        "--tsv", metavar="FILE", default="", help="pairs of sentences to learn from; gzip or not"
    )
    parser.add_argument("--dev", metavar="FILE", default="", help="pairs for the scores alone")
    parser.add_argument(
        "--columns",
        type=_columns,
        default=(0, 1),
        metavar="A,B",
        help="the columns of source and target, counted from 0 (default: 0,1)",
    )
    parser.add_argument(
        "--attribution",
        metavar="TEXT",
        default="",
        help="whose the sentences are and under which licence: the report shows a few",
    )
    parser.add_argument(
        "--model",
        type=Path,
        metavar="DIR",
        help="a published version, exported/NAME/VERSION: where it looks in sentences of its own",
    )
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="where relative --tsv and --dev are looked up (default: here)",
    )


def run(args: argparse.Namespace, say: Callable[[str], None]) -> Path:
    """Measure, write, and return where the report is.

    Raises:
        RecipeError: the arguments or a recipe of the ladder cannot be used.
        CorpusError: the given sentences cannot.
    """
    from training.config import DataConfig, RecipeError
    from training.lab.plan import Plan, quick_sizes, sizes_for
    from training.lab.run import run_lab
    from training.lab.rungs import LADDER, QUICK_LADDER, ladder, text_ladder

    if args.dev and not args.tsv:
        raise RecipeError("--dev goes with --tsv: there is nothing to learn from")
    texts = None
    if args.tsv:
        source, target = args.columns
        texts = DataConfig(
            kind="tsv",
            train=args.tsv,
            dev=args.dev,
            source_column=source,
            target_column=target,
            attribution=args.attribution,
        )
    plan = Plan(
        out=args.out,
        seed=args.seed,
        sizes=quick_sizes() if args.quick else sizes_for(args.minutes),
        parts=tuple(args.only),
        rungs=ladder(QUICK_LADDER if args.quick else LADDER),
        text_rungs=text_ladder(given=texts is not None),
        texts=texts,
        data_dir=args.data_dir,
        model=args.model,
        command=_command(args),
    )
    say(f"lab: {', '.join(plan.parts)} into {plan.out}")
    return run_lab(plan)


def _command(args: argparse.Namespace) -> str:
    """What gives the same report again, wherever its files lie."""
    words = ["parley-train", "lab", "--seed", str(args.seed)]
    words += ["--quick"] if args.quick else ["--minutes", f"{args.minutes:g}"]
    if args.tsv:
        words += ["--tsv", Path(args.tsv).name, "--columns", ",".join(map(str, args.columns))]
    if args.dev:
        words += ["--dev", Path(args.dev).name]
    if args.attribution:
        words += ["--attribution", args.attribution]
    if args.model:
        words += ["--model", "/".join(args.model.resolve().parts[-3:])]
    return shlex.join(words)


def _minutes(text: str) -> float:
    value = float(text)
    if not 0 < value <= 240:
        raise argparse.ArgumentTypeError(f"must be above 0 and at most 240, not {text}")
    return value


def _columns(text: str) -> tuple[int, int]:
    try:
        source, target = map(int, text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be two numbers, as in 0,1, not {text!r}") from None
    if source == target or min(source, target) < 0:
        raise argparse.ArgumentTypeError(f"must be two different columns from 0 on, not {text}")
    return source, target
