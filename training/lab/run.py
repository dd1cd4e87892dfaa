"""A run of the lab: each part measured, or found where an earlier run left it; then the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from service.bundle.schema import dump
from training.lab.costs import measure_cost
from training.lab.gradients import CELLS, STARTS, measure_gradients
from training.lab.machine import describe_machine
from training.lab.plan import PARTS, Plan
from training.lab.progress import Bar
from training.lab.published import published_maps
from training.lab.report import write_report
from training.lab.rungs import Rung
from training.lab.store import Missing, Store
from training.lab.strings import TASKS, StringTask
from training.lab.texts import TextTask

__all__ = ["run_lab"]

# Seconds of a usual core, for the bar: a gradient's seed; a step on strings, on dates, on texts;
# a published model's maps; a rung's speeds.
_SEED, _STRING_STEP, _DATE_STEP, _TEXT_STEP, _PUBLISHED, _COST = 0.02, 0.02, 0.04, 0.15, 1.0, 0.6


def run_lab(plan: Plan) -> Path:
    """Measure and report.

    Returns:
        The report: ``plan.out / "README.md"``, with plots and ``numbers.json`` beside it.

    Raises:
        CorpusError: the given texts are not usable.
    """
    # Sums are made in another order by more threads, and small models gain nothing by them: with
    # one, the number of cores changes no number.
    torch.set_num_threads(1)
    store = Store(plan.out / "parts", makes=plan.parts)
    measures = {
        "gradients": _gradients,
        "strings": _strings,
        "texts": _texts,
        "published": _published,
        "costs": _costs,
    }
    parts: dict[str, Any] = {}
    with Bar(sum(_work(plan)[part] for part in plan.parts)) as bar:
        for name in PARTS:
            try:
                parts[name] = measures[name](plan, store, bar)
            except Missing:  # not asked for, and no earlier run has left it
                continue
    return write_report(plan, parts, describe_machine(), store.seconds)


def _work(plan: Plan) -> Mapping[str, float]:
    sizes = plan.sizes
    text_step = _TEXT_STEP if plan.texts else _DATE_STEP
    return {
        "gradients": _SEED * sizes.reach_seeds * len(STARTS) * len(CELLS),
        "strings": _STRING_STEP * sizes.string_steps * len(TASKS) * len(plan.rungs),
        "texts": text_step * sizes.text_steps * len(plan.text_rungs),
        "published": _PUBLISHED if plan.model else 0.0,
        "costs": _COST * len(plan.cost_rungs),
    }


def _gradients(plan: Plan, store: Store, bar: Bar) -> dict[str, Any]:
    bar.now("gradients")
    sizes = plan.sizes
    settings = {
        "seed": plan.seed,
        "sizes": {k: v for k, v in asdict(sizes).items() if k.startswith("reach")},
    }
    return _part(
        store,
        bar,
        ("gradients", settings, _work(plan)["gradients"]),
        lambda: measure_gradients(sizes, plan.seed, lambda: bar.advance(_SEED)),
    )


def _strings(plan: Plan, store: Store, bar: Bar) -> dict[str, Any]:
    sizes = plan.sizes
    chosen = {
        name: value
        for name, value in asdict(sizes).items()
        if name.startswith("string") or name in {"longest", "beyond", "per_length"}
    }
    tasks: dict[str, dict[str, Any]] = {}
    for name in TASKS:
        task = StringTask(name, sizes, plan.seed)
        tasks[name] = {}
        for rung in plan.rungs:
            bar.now(f"{name}: {rung.name}")
            settings = {"seed": plan.seed, "sizes": chosen, **_identity(rung)}
            tasks[name][rung.name] = _part(
                store,
                bar,
                (f"strings/{name}/{rung.name}", settings, _STRING_STEP * sizes.string_steps),
                lambda rung=rung, task=task: task.measure(  # type: ignore[misc]  # mypy infers no lambda with a default
                    rung, lambda: bar.advance(_STRING_STEP)
                ),
            )
    return {
        "longest": sizes.longest,
        "beyond": sizes.beyond,
        "steps": sizes.string_steps,
        "tasks": tasks,
    }


def _texts(plan: Plan, store: Store, bar: Bar) -> dict[str, Any]:
    sizes, given = plan.sizes, bool(plan.texts)
    task = TextTask(plan.texts, plan.data_dir, sizes, plan.seed)
    step = _TEXT_STEP if given else _DATE_STEP
    settings = {
        "seed": plan.seed,
        "sizes": {
            name: value
            for name, value in asdict(sizes).items()
            if name.startswith("text") or name in {"vocabulary", "buckets"}
        },
        "texts": dump(plan.texts) if plan.texts else None,
        "bytes": [path.stat().st_size for path in _files(plan) if path.exists()],
    }
    rungs: dict[str, Any] = {}
    about = _part(store, bar, ("texts/about", settings, 0.0), task.about)
    for rung in plan.text_rungs:
        bar.now(f"{about['corpus']}: {rung.name}")
        rungs[rung.name] = _part(
            store,
            bar,
            (
                f"texts/{rung.name}",
                {**settings, **_identity(rung)},
                step * sizes.text_steps,
            ),
            lambda rung=rung: task.measure(rung, lambda: bar.advance(step)),  # type: ignore[misc]  # mypy infers no lambda with a default
        )
    return {"about": about, "steps": sizes.text_steps, "rungs": rungs}


def _published(plan: Plan, store: Store, bar: Bar) -> dict[str, Any]:
    if plan.model is None:
        raise Missing("published")
    path = plan.model.resolve()
    bar.now(f"published: {path.parent.name}")

    def make() -> dict[str, Any]:
        drawn = published_maps(path)
        bar.advance(_PUBLISHED)
        return drawn

    settings = {"model": list(path.parts[-2:])}  # a published version never changes
    return _part(store, bar, ("published", settings, _PUBLISHED), make)


def _costs(plan: Plan, store: Store, bar: Bar) -> dict[str, Any]:
    repeats, rungs = plan.sizes.repeats, {}
    for rung in plan.cost_rungs:
        bar.now(f"costs: {rung.name}")
        settings = {"repeats": repeats, "seed": plan.seed, **_identity(rung)}

        def make(rung: Rung = rung) -> dict[str, Any]:
            measured = measure_cost(rung, repeats, plan.seed)
            bar.advance(_COST)
            return measured

        rungs[rung.name] = _part(store, bar, (f"costs/{rung.name}", settings, _COST), make)
    return {"rungs": rungs}


def _part(
    store: Store,
    bar: Bar,
    what: tuple[str, Mapping[str, Any], float],
    make: Callable[[], dict[str, Any]],
) -> dict[str, Any]:
    name, settings, work = what
    numbers, kept = store.part(name, settings, make)
    if kept:
        bar.advance(work if name.partition("/")[0] in store.makes else 0.0)
    bar.say(f"{name}: {'kept' if kept else 'done'}")
    return numbers


def _files(plan: Plan) -> list[Path]:
    """The given texts."""
    names = [plan.texts.train, plan.texts.dev] if plan.texts else []
    return [plan.data_dir / name for name in names if name]


def _identity(rung: Rung) -> dict[str, Any]:
    """What of a recipe decides the numbers."""
    return {"model": dump(rung.recipe.model), "optim": dump(rung.recipe.optim)}
