"""``parley-train``: from a recipe to a published bundle, in one command or stage by stage."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from training.data.cleaning import cli as cleaning
from training.lab import cli as lab

if TYPE_CHECKING:
    from training.preparation import Prepared

__all__ = ["main"]

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


def main(argv: list[str] | None = None) -> int:
    """Run a command; 0 done, 1 failed, 2 used wrongly."""
    args = _parser().parse_args(argv)
    if args.command is _prepare and args.recipe.suffix != ".toml":
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


def _run(args: argparse.Namespace) -> None:
    from training import stages
    from training.parallel import Team

    prepared = _prepared(args)
    stages.train(prepared, args.budget_minutes)
    if Team.current().first:
        _say_published(stages.export(prepared, args.exported, _say).path)


def _prepare(args: argparse.Namespace) -> None:
    from training.config import RecipeError

    if misplaced := cleaning.given(args):
        raise RecipeError(f"{args.recipe} is a recipe; raw pairs alone have {', '.join(misplaced)}")
    prepared = _prepared(args)
    _say(f"tokenizer of {prepared.tokenizer_spec.vocabulary_size} pieces in {prepared.run_dir}")


def _train(args: argparse.Namespace) -> None:
    from training import stages
    from training.parallel import Team

    progress = stages.train(_prepared(args), args.budget_minutes)
    if Team.current().first:
        _say(f"best {progress.best_score:.2f} at step {progress.best_step} of {progress.step}")


def _evaluate(args: argparse.Namespace) -> None:
    from training import stages

    result = stages.evaluate(_prepared(args), args.beam, args.members)
    if args.json:
        print(json.dumps(asdict(result)))
    else:
        print(f"{result.metric} {result.value:.2f}  {result.signature}")


def _average(args: argparse.Namespace) -> None:
    from training import stages

    result = stages.average(_prepared(args), args.best)
    steps = ", ".join(map(str, result.steps))
    outcome = "taken as the best" if result.taken else "no better: left out"
    _say(f"mean of steps {steps}: {result.score.value:.2f}, before {result.before:.2f}; {outcome}")


def _export(args: argparse.Namespace) -> None:
    from training import stages

    published = stages.export(_prepared(args), args.exported, _say, args.members)
    _say_published(published.path)


def _distill(args: argparse.Namespace) -> None:
    from service.threads import usable_cpus
    from training.config import load_recipe
    from training.data.corpus import read_corpus
    from training.distillation import Distillation, distill

    recipe, _ = load_recipe(args.recipe, args.changes)
    pairs = read_corpus(recipe.data, args.data_dir, recipe.seed).train
    wanted = Distillation(
        teacher=args.teacher,
        out=args.out,
        beam=args.beam,
        similar=args.similar,
        mixed=args.mixed,
        threads=usable_cpus(),
    )
    for path in distill(wanted, recipe, pairs, _say):
        _say_published(path)


def _suite(args: argparse.Namespace) -> None:
    from training.suite import Suite, run_suite, table

    suite = Suite(
        recipe=args.recipe,
        data_dir=args.data_dir,
        run_dir=args.run_dir or _default_run(args),
        changes=args.changes,
        only=args.only,
        seeds=args.seeds,
        budget_minutes=args.budget_minutes,
    )
    for line in table(run_suite(suite, _say)):
        print(line)


def _lab(args: argparse.Namespace) -> None:
    print(lab.run(args, _say))


def _prepared(args: argparse.Namespace) -> Prepared:
    """The corpus and the tokenizer, with a word about what was left out."""
    from training.parallel import Team
    from training.preparation import prepare

    recipe: Path = args.recipe
    team = Team.current()
    with team.first_alone():  # it fits the tokenizer
        run_dir = args.run_dir or _default_run(args)
        prepared = prepare(recipe, args.data_dir, run_dir, args.seed, args.changes)
    if not team.first:
        return prepared
    for line in prepared.drops.lines():
        _say(line)
    tokens = sum(len(example.target) for example in prepared.train)
    _say(
        f"{len(prepared.train)} training pairs with {tokens} target tokens, "
        f"{len(prepared.dev)} development sources"
    )
    return prepared


def _default_run(args: argparse.Namespace) -> Path:
    """Named after the recipe and what is different from it."""
    values = (change.partition("=")[2].strip() for change in args.changes)
    other = "".join("-" + re.sub(r"[^\w.+-]+", "_", value) for value in values)
    seed = "" if args.seed is None else f"-seed{args.seed}"
    return Path("runs") / f"{args.recipe.stem}{other}{seed}"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _say_published(path: Path) -> None:
    print(path)  # the one result: scripts read it from stdout


def _fail(error: object, code: int) -> int:
    _say(f"parley-train: {error}")
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="parley-train",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    stages = (
        ("run", _run, "all of it: tokenizer, training, export, verification, publication"),
        ("prepare", _prepare, "clean and split raw pairs; or fit a recipe's tokenizer"),
        ("train", _train, "train, or go on training; keeps the best weights"),
        ("average", _average, "average the best weights that a run kept, if that is better still"),
        ("evaluate", _evaluate, "score the best weights on the development set"),
        ("export", _export, "verify the best weights as ONNX and publish the next version"),
        ("suite", _suite, "train a recipe for every value of its [suite], and tell all scores"),
    )
    for name, command, summary in stages:
        raw = name == "prepare"
        stage = commands.add_parser(
            name,
            help=summary,
            description=f"{name}: {summary}.",
            epilog=cleaning.EPILOG if raw else None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        stage.set_defaults(command=command)
        stage.add_argument(
            "recipe", type=Path, metavar="RECIPE.toml | FILE" if raw else "RECIPE.toml"
        )
        if raw:
            cleaning.add_arguments(stage)
        stage.add_argument(
            "--data-dir",
            type=Path,
            default=Path("data"),
            metavar="DIR",
            help="where the recipe's relative data paths are looked up (default: %(default)s)",
        )
        stage.add_argument(
            "--run-dir",
            type=Path,
            metavar="DIR",
            help="tokenizer, checkpoints and logs of this run (default: runs/<recipe's file name>)",
        )
        if name in {"run", "train", "suite"}:
            stage.add_argument(
                "--budget-minutes",
                type=_positive,
                metavar="MINUTES",
                help="end after so many minutes of training; the schedule is shortened to fit",
            )
        _add_changes(stage)
        if name == "suite":
            _add_suite(stage)
        elif not raw:
            stage.add_argument(
                "--seed",
                type=int,
                metavar="N",
                help="another seed than the recipe's, with a run directory of its own; corpus and "
                "tokenizer stay the same",
            )
        if name in {"evaluate", "export"}:
            stage.add_argument(
                "--members",
                type=Path,
                nargs="+",
                default=(),
                metavar="RUN",
                help=f"{name} several models as one that answers with the mean of their "
                "probabilities: directories of runs, or of weights in RUN/checkpoints/kept",
            )
        if name in {"run", "export"}:
            stage.add_argument(
                "--exported",
                type=Path,
                default=Path("exported"),
                metavar="DIR",
                help="root of the published models (default: %(default)s)",
            )
        if name == "average":
            stage.add_argument(
                "--best",
                type=_count,
                metavar="N",
                help="of so many evaluations (default: all that training.keep_best kept)",
            )
        if name == "evaluate":
            stage.add_argument("--json", action="store_true", help="for scripts")
            stage.add_argument(
                "--beam",
                type=int,
                metavar="N",
                help="in the serving engine, with a beam (default: greedily in torch)",
            )
    _add_distill(commands)
    _add_lab(commands)
    return parser


def _add_suite(parser: argparse.ArgumentParser) -> None:
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


def _add_changes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set",
        dest="changes",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change the recipe: a dotted key and its value, such as optim.rate=2e-3 or "
        "parameters.language=kor; as often as needed",
    )


def _add_distill(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    summary = "translate a recipe's training sources with a published model, to train another on"
    distill = commands.add_parser("distill", help=summary, description=f"distill: {summary}.")
    distill.set_defaults(command=_distill)
    distill.add_argument("recipe", type=Path, metavar="RECIPE.toml")
    _add_changes(distill)
    distill.add_argument("--data-dir", type=Path, default=Path("data"), metavar="DIR")
    distill.add_argument(
        "--teacher",
        type=Path,
        required=True,
        metavar="exported/NAME/VERSION",
        help="a published version, which may be an ensemble",
    )
    distill.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="FILE",
        help="pairs in the columns of the recipe's own TSV; FILE.<language> for parallel text",
    )
    distill.add_argument("--beam", type=int, metavar="N", help="default: as the teacher's manifest")
    distill.add_argument(
        "--similar",
        action="store_true",
        help="of the whole beam take the hypothesis most like a reference, not the best (chrF)",
    )
    distill.add_argument("--mixed", action="store_true", help="add the original pairs")


def _add_lab(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "lab",
        help="measure RNN -> LSTM/GRU -> attention -> Transformer, with plots and a report",
        description=lab.DESCRIPTION,
        epilog=lab.EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(command=_lab)
    lab.add_arguments(parser)


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


if __name__ == "__main__":
    sys.exit(main())
