"""The arguments of ``parley-train``, and what its ``--help`` says."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from training.cli import commands
from training.data.cleaning import cli as cleaning
from training.lab import cli as lab

__all__ = ["make_parser"]

_DESCRIPTION = "Train attention seq2seq models and publish them for `parley serve`."
_EPILOG = """\
examples:
  parley-train run training/recipes/dates.toml
      generate a corpus, train, verify, publish exported/dates/1; takes two minutes, needs no data
  parley-train run training/recipes/tatoeba-de-en.toml --data-dir data --budget-minutes 60
      the learning rate comes down in time for the budget
  parley-train train my.toml        stopped by Ctrl-C? the same command goes on where it was
  parley-train prepare pairs.tsv --out data/mine --source-language de --target-language en
      clean your own pairs and split them without leaks (parley-train prepare --help)
  parley-train export my.toml       publish the best weights of a run that has ended, or not yet
  parley-train suite training/recipes/sigmorphon2021-g2p.toml --data-dir data --seeds 1 2 3
      one recipe for ten languages; stopped, the same command goes on

A recipe is one TOML file; training/recipes/ has examples, and every key is explained in
training/config. A run keeps its tokenizer, checkpoints, log.jsonl and TensorBoard curves in its
run directory (tensorboard --logdir runs).
"""

_Command = Callable[[argparse.Namespace], None]


def make_parser() -> argparse.ArgumentParser:
    """``args.command`` is the function that does what was asked for."""
    parser = argparse.ArgumentParser(
        prog="parley-train",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _Commands(parser).add_all()
    return parser


class _Commands:
    """The commands of a parser, in the order in which they are listed."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._parsers = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def add_all(self) -> None:
        stage = self._stage("run", commands.run)
        _budget(stage)
        _seed(stage)
        _exported(stage)

        self._prepare()

        stage = self._stage("train", commands.train)
        _budget(stage)
        _seed(stage)

        stage = self._stage("average", commands.average)
        _seed(stage)
        stage.add_argument(
            "--best",
            type=_count,
            metavar="N",
            help="of so many evaluations (default: all that training.keep_best kept)",
        )

        stage = self._stage("evaluate", commands.evaluate)
        _seed(stage)
        _members(stage, "score")
        stage.add_argument("--json", action="store_true", help="for scripts")
        stage.add_argument(
            "--beam",
            type=int,
            metavar="N",
            help="in the serving engine, with a beam (default: greedily in torch)",
        )

        stage = self._stage("export", commands.export)
        _seed(stage)
        _members(stage, "publish")
        _exported(stage)

        stage = self._stage("suite", commands.suite)
        _budget(stage)
        _suite(stage)

        self._distill()
        self._lab()

    def _add(
        self, name: str, command: _Command, *, about: str = "", epilog: str | None = None
    ) -> argparse.ArgumentParser:
        summary = (command.__doc__ or "").rstrip(".")
        parser = self._parsers.add_parser(
            name,
            help=summary[:1].lower() + summary[1:],
            description=about or f"{summary}.",
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        parser.set_defaults(command=command)
        return parser

    def _stage(self, name: str, command: _Command) -> argparse.ArgumentParser:
        parser = self._add(name, command)
        parser.add_argument("recipe", type=Path, metavar="RECIPE.toml")
        _places(parser)
        _changes(parser)
        return parser

    def _prepare(self) -> None:
        parser = self._add("prepare", commands.prepare, epilog=cleaning.EPILOG)
        parser.add_argument("recipe", type=Path, metavar="RECIPE.toml | FILE")
        cleaning.add_arguments(parser)
        _places(parser)
        _changes(parser)

    def _distill(self) -> None:
        parser = self._add("distill", commands.distill)
        parser.add_argument("recipe", type=Path, metavar="RECIPE.toml")
        _changes(parser)
        parser.add_argument("--data-dir", type=Path, default=Path("data"), metavar="DIR")
        parser.add_argument(
            "--teacher",
            type=Path,
            required=True,
            metavar="exported/NAME/VERSION",
            help="a published version, which may be an ensemble",
        )
        parser.add_argument(
            "--out",
            type=Path,
            required=True,
            metavar="FILE",
            help="pairs in the columns of the recipe's own TSV; FILE.<language> for parallel text",
        )
        parser.add_argument(
            "--beam", type=int, metavar="N", help="default: as the teacher's manifest"
        )
        parser.add_argument(
            "--similar",
            action="store_true",
            help="of the whole beam take the hypothesis most like a reference, not the best (chrF)",
        )
        parser.add_argument("--mixed", action="store_true", help="add the original pairs")

    def _lab(self) -> None:
        parser = self._add(
            "lab",
            commands.lab,
            about=lab.DESCRIPTION,
            epilog=lab.EPILOG,
        )
        lab.add_arguments(parser)


def _places(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=Path("data"),
        metavar="DIR",
        help="where the recipe's relative data paths are looked up (default: %(default)s)",
    )
    parser.add_argument(
        "--run-dir",
        type=Path,
        metavar="DIR",
        help="tokenizer, checkpoints and logs of this run (default: runs/<recipe's file name>)",
    )


def _changes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set",
        dest="changes",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change the recipe: a dotted key and its value, such as optim.rate=2e-3 or "
        "parameters.language=kor; as often as needed",
    )


def _seed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--seed",
        type=int,
        metavar="N",
        help="another seed than the recipe's, with a run directory of its own; corpus and "
        "tokenizer stay the same",
    )


def _budget(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--budget-minutes",
        type=_positive,
        metavar="MINUTES",
        help="end after so many minutes of training; the schedule is shortened to fit",
    )


def _members(parser: argparse.ArgumentParser, verb: str) -> None:
    parser.add_argument(
        "--members",
        type=Path,
        nargs="+",
        default=(),
        metavar="RUN",
        help=f"{verb} several models as one that answers with the mean of their "
        "probabilities: directories of runs, or of weights in RUN/checkpoints/kept",
    )


def _exported(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--exported",
        type=Path,
        default=Path("exported"),
        metavar="DIR",
        help="root of the published models (default: %(default)s)",
    )


def _suite(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(seed=None)
    parser.add_argument(
        "--seeds",
        type=int,
        nargs="+",
        default=[1],
        metavar="N",
        help="each trains every model once more; several are also scored together (default: 1)",
    )
    parser.add_argument(
        "--only",
        nargs="+",
        default=[],
        metavar="VALUE",
        help="some of the suite's values (default: all)",
    )


def _positive(text: str) -> float:
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"must be above 0, not {text}")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 2:
        raise argparse.ArgumentTypeError(f"must be at least 2, not {text}")
    return value
