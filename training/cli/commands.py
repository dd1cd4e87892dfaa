"""The commands: what each does with its arguments. Their docstrings are what ``--help`` lists.

torch takes seconds to import, so every command imports what it needs itself: neither ``--help`` nor
a mistake in the arguments waits for it.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from training.data.cleaning import cli as cleaning
from training.lab import cli as lab_cli

if TYPE_CHECKING:
    from training.preparation import Prepared

__all__ = [
    "average",
    "distill",
    "evaluate",
    "export",
    "lab",
    "prepare",
    "run",
    "say",
    "suite",
    "train",
]


def run(args: argparse.Namespace) -> None:
    """All of it: tokenizer, training, export, verification, publication."""
    from training import stages
    from training.parallel import Team

    prepared = _prepared(args)
    stages.train(prepared, args.budget_minutes)
    if Team.current().first:
        _say_published(stages.export(prepared, args.exported, say).path)


def prepare(args: argparse.Namespace) -> None:
    """Clean and split raw pairs; or fit a recipe's tokenizer."""
    from training.config import RecipeError

    if misplaced := cleaning.given(args):
        raise RecipeError(f"{args.recipe} is a recipe; raw pairs alone have {', '.join(misplaced)}")
    prepared = _prepared(args)
    say(f"tokenizer of {prepared.tokenizer_spec.vocabulary_size} pieces in {prepared.run_dir}")


def train(args: argparse.Namespace) -> None:
    """Train, or go on training; keeps the best weights."""
    from training import stages
    from training.parallel import Team

    progress = stages.train(_prepared(args), args.budget_minutes)
    if Team.current().first:
        say(f"best {progress.best_score:.2f} at step {progress.best_step} of {progress.step}")


def evaluate(args: argparse.Namespace) -> None:
    """Score the best weights on the development set."""
    from training import stages

    result = stages.evaluate(_prepared(args), args.beam, args.members)
    if args.json:
        print(json.dumps(asdict(result)))
    else:
        print(f"{result.metric} {result.value:.2f}  {result.signature}")


def average(args: argparse.Namespace) -> None:
    """Average the best weights that a run kept, if that is better still."""
    from training import stages

    result = stages.average(_prepared(args), args.best)
    steps = ", ".join(map(str, result.steps))
    outcome = "taken as the best" if result.taken else "no better: left out"
    say(f"mean of steps {steps}: {result.score.value:.2f}, before {result.before:.2f}; {outcome}")


def export(args: argparse.Namespace) -> None:
    """Verify the best weights as ONNX and publish the next version."""
    from training import stages

    published = stages.export(_prepared(args), args.exported, say, args.members)
    _say_published(published.path)


def distill(args: argparse.Namespace) -> None:
    """Translate a recipe's training sources with a published model, to train another on."""
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
    for path in distill(wanted, recipe, pairs, say):
        _say_published(path)


def suite(args: argparse.Namespace) -> None:
    """Train a recipe for every value of its [suite], and tell all scores."""
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
    for line in table(run_suite(suite, say)):
        print(line)


def lab(args: argparse.Namespace) -> None:
    """Measure RNN -> LSTM/GRU -> attention -> Transformer, with plots and a report."""
    print(lab_cli.run(args, say))


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
        say(line)
    tokens = sum(len(example.target) for example in prepared.train)
    say(
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


def say(line: str) -> None:
    """A line for people."""
    print(line, file=sys.stderr, flush=True)


def _say_published(path: Path) -> None:
    print(path)  # the one result: scripts read it from stdout
