"""One recipe, every value of a parameter, several seeds: trained one after the other, in one table.

A suite that was stopped goes on where it was: runs that have ended are known by what was noted of
them, and the one that was stopped by its checkpoint.

    <run>/<value>-seed<n>/             a run like any other
    <run>/<value>-seed<n>/ended.json   its score, once it has one
    <run>/table.md                     all that is known so far
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, stdev

from service.bundle.schema import SchemaError, parse
from training import stages
from training.config import Recipe, RecipeError, load_recipe
from training.preparation import Prepared, prepare

__all__ = ["Scores", "Suite", "run_suite", "table"]


@dataclass(frozen=True, kw_only=True)
class Suite:
    """What to train, and where."""

    recipe: Path
    data_dir: Path
    run_dir: Path
    changes: Sequence[str] = ()
    only: Sequence[str] = ()  # of the values; none is all of them
    seeds: Sequence[int] = (1,)
    budget_minutes: float | None = None


@dataclass(frozen=True, kw_only=True)
class _Ended:
    """What is noted of a run that has ended, or of several that answer together."""

    recipe_sha256: str
    members: int
    score: float
    minutes: float


_SPREAD, _TOGETHER = "mean ± spread", "together"

Scores = dict[str, dict[str, float]]  # value -> seed or _TOGETHER -> score


def run_suite(suite: Suite, say: Callable[[str], None]) -> Scores:
    """Train whatever is not trained yet: all values with the first seed, then with the next.

    Scores are the recipe's metric on its development set, with its beam, by the serving engine. As
    soon as a value has several seeds, they are also scored together, as one ensemble.

    Raises:
        RecipeError: the recipe has no suite, or not what was asked for.
        Interrupted: it was asked to stop; the same call goes on.
    """
    recipe, _ = load_recipe(suite.recipe, suite.changes)
    values = _values(recipe, suite.only)
    scores: Scores = {value: {} for value in values}
    for number, seed in enumerate(suite.seeds, 1):
        for value in values:
            scores[value][str(seed)] = ended = _train(suite, recipe, value, seed, say).score
            say(f"{value} seed {seed}: {recipe.evaluation.metric} {ended:.2f}")
            if number > 1:
                together = _together(suite, recipe, value, suite.seeds[:number])
                scores[value][_TOGETHER] = together.score
                say(f"{value}, {number} seeds together: {together.score:.2f}")
            (suite.run_dir / "table.md").write_text("\n".join(table(scores)) + "\n")
    return scores


def table(scores: Scores) -> Iterator[str]:
    """Markdown: a row for each value, and one for the mean of all that have been scored.

    Of several seeds there are also their mean and its spread, the sample standard deviation.
    """
    seeds = list(
        dict.fromkeys(seed for row in scores.values() for seed in row if seed != _TOGETHER)
    )
    heads = [*seeds, _SPREAD, _TOGETHER] if len(seeds) > 1 else seeds
    yield "| | " + " | ".join(f"seed {head}" if head in seeds else head for head in heads) + " |"
    yield "|---" * (len(heads) + 1) + "|"
    for name, row in scores.items():
        yield _row(name, heads, row, [row[seed] for seed in seeds if seed in row])
    known = {c: [row[c] for row in scores.values() if c in row] for c in [*seeds, _TOGETHER]}
    macro = {column: fmean(cell) for column, cell in known.items() if cell}
    whole = [macro[seed] for seed in seeds if len(known[seed]) == len(scores)]
    yield _row("macro", heads, macro, whole)


def _row(name: str, heads: Sequence[str], row: Mapping[str, float], of_seeds: list[float]) -> str:
    """`of_seeds` are the scores that have a mean and a spread."""
    shown = {head: f"{row[head]:.2f}" for head in heads if head in row}
    if len(of_seeds) > 1:
        shown[_SPREAD] = f"{fmean(of_seeds):.2f} ± {stdev(of_seeds):.2f}"
    return f"| {name} | {' | '.join(shown.get(head, '') for head in heads)} |"


def _values(recipe: Recipe, only: Sequence[str]) -> list[str]:
    known = recipe.suite.values
    if not known:
        raise RecipeError("the recipe has no [suite]: nothing says which models to train")
    if strange := [value for value in only if value not in known]:
        raise RecipeError(f"suite.values: {', '.join(known)}; not {', '.join(strange)}")
    return [value for value in known if value in only or not only]


def _train(
    suite: Suite, recipe: Recipe, value: str, seed: int, say: Callable[[str], None]
) -> _Ended:
    prepared = _prepared(suite, recipe, value, seed)
    note = prepared.run_dir / "ended.json"
    if known := _known(note, prepared, members=1):
        return known
    say(f"{value} seed {seed}: {len(prepared.train)} training pairs")
    progress = stages.train(prepared, suite.budget_minutes)
    result = stages.evaluate(prepared, recipe.evaluation.beam)
    return _noted(note, prepared, 1, result.value, progress.seconds / 60)


def _together(suite: Suite, recipe: Recipe, value: str, seeds: Sequence[int]) -> _Ended:
    prepared = _prepared(suite, recipe, value, seeds[0])
    note = prepared.run_dir / f"together-{'-'.join(map(str, seeds))}.json"
    if known := _known(note, prepared, members=len(seeds)):
        return known
    members = [suite.run_dir / f"{value}-seed{seed}" for seed in seeds]
    result = stages.evaluate(prepared, recipe.evaluation.beam, members)
    return _noted(note, prepared, len(seeds), result.value, 0.0)


def _prepared(suite: Suite, recipe: Recipe, value: str, seed: int) -> Prepared:
    run_dir = suite.run_dir / f"{value}-seed{seed}"
    run_dir.mkdir(parents=True, exist_ok=True)
    changes = [*suite.changes, f"parameters.{recipe.suite.parameter}={value}"]
    return prepare(suite.recipe, suite.data_dir, run_dir, seed, changes)


def _known(note: Path, prepared: Prepared, members: int) -> _Ended | None:
    """What was noted, if it is of this very recipe."""
    try:
        found = parse(_Ended, json.loads(note.read_text()))
    except (OSError, ValueError, SchemaError):
        return None
    asked = prepared.recipe_sha256, members
    return found if (found.recipe_sha256, found.members) == asked else None


def _noted(note: Path, prepared: Prepared, members: int, score: float, minutes: float) -> _Ended:
    ended = _Ended(
        recipe_sha256=prepared.recipe_sha256, members=members, score=score, minutes=minutes
    )
    note.write_text(json.dumps(asdict(ended), indent=1))
    return ended
