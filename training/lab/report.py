"""The report: README.md with tables and plots, and numbers.json with everything that they show."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from training.lab.findings import Finding, findings
from training.lab.plan import Plan
from training.lab.plots import draw_costs, draw_gradients, draw_maps, draw_strings, draw_texts
from training.lab.sections import SECTIONS, Parts, table
from training.lab.store import write_text

__all__ = ["write_report"]


def write_report(plan: Plan, parts: Parts, machine: Mapping[str, Any], seconds: float) -> Path:
    """Draw and write into ``plan.out``; each file is replaced as a whole, README.md last.

    Returns:
        The path of README.md.
    """
    found = findings(parts, plan.rungs)
    numbers = {
        "command": plan.command,
        "seed": plan.seed,
        "machine": dict(machine),
        "seconds": round(seconds, 1),
        "parts": parts,
        "findings": [vars(finding) for finding in found],
    }
    plan.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=plan.out, prefix=".plots-") as folder:
        _draw(parts, Path(folder))
        for path in sorted(Path(folder).iterdir()):
            path.replace(plan.out / path.name)
    write_text(plan.out / "numbers.json", json.dumps(numbers) + "\n")
    text = "\n".join(_lines(plan, parts, found, {"machine": machine, "seconds": seconds}))
    write_text(plan.out / "README.md", text + "\n")
    return plan.out / "README.md"


def _draw(parts: Parts, folder: Path) -> None:
    strings, texts = parts.get("strings"), parts.get("texts")
    if "gradients" in parts:
        draw_gradients(parts["gradients"], strings, folder / "gradients.png")
    if strings:
        draw_strings(strings, folder / "strings.png")
        maps = {
            task: [
                {**rung["map"], "title": f"{task}: {name}"}
                for name, rung in rungs.items()
                if "map" in rung
            ]
            for task, rungs in strings["tasks"].items()
        }
        if any(maps.values()):
            draw_maps(maps, folder / "maps-strings.png")
    if texts:
        draw_texts(texts, folder / "texts.png")
        maps = {name: rung["maps"] for name, rung in texts["rungs"].items() if rung["maps"]}
        if maps:
            draw_maps(maps, folder / "maps-texts.png")
    if "published" in parts:
        published = parts["published"]
        draw_maps({published["model"]: published["maps"]}, folder / "maps-published.png")
    if "costs" in parts:
        draw_costs(parts["costs"]["rungs"], folder / "costs.png")


def _lines(
    plan: Plan, parts: Parts, found: Sequence[Finding], facts: Mapping[str, Any]
) -> Iterator[str]:
    yield "# From the recurrent network to the Transformer: what was measured"
    yield ""
    yield f"Written by `{plan.command}`. The verdicts are computed from the numbers below, all of"
    yield "which are in [numbers.json](numbers.json). The models are the recipes in"
    yield "`training/recipes/ladder`: small, and trained for a minute. What a rung cannot do here"
    yield "it may do with more of everything."
    yield ""
    against = sum(each.verdict == "against the textbook" for each in found)
    alike = sum(each.verdict == "as the textbook says" for each in found)
    yield "## What the textbook says, and what came out"
    yield ""
    yield f"Of {len(found)} claims {alike} came out as the textbook has them and {against} against"
    yield "it. In the others no difference was seen that is larger than chance, or too little was"
    yield "learnt to tell."
    yield ""
    yield from table(
        ("claim", "here", "measured"),
        ((each.claim, f"**{each.verdict}**", each.evidence) for each in found),
    )
    for name, section in SECTIONS.items():
        if name in parts:
            yield ""
            yield from section(parts)
    yield ""
    yield "## How to have it again"
    yield ""
    yield "```sh"
    yield f"{plan.command}"
    yield "```"
    yield ""
    minutes, load = facts["seconds"] / 60, facts["machine"]["load when written"]
    yield f"Seed {plan.seed}; {minutes:.0f} minutes of measuring, on a machine with a load of"
    yield f"{load}. The same seed gives the same numbers on the same kind of processor, speeds"
    yield "apart; how much is trained is decided by `--minutes` and never by the clock."
    yield ""
    yield from table(("", ""), ((name, str(value)) for name, value in facts["machine"].items()))
