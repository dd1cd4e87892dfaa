"""The sections of the report: what was measured of one thing, in words, tables and plots."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

__all__ = ["SECTIONS", "Parts", "table"]

Parts = Mapping[str, Any]


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Markdown, line by line."""
    yield f"| {' | '.join(heads)} |"
    yield "|" + "---|" * len(heads)
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _gradients(parts: Parts) -> Iterator[str]:
    numbers = parts["gradients"]
    norms = numbers["norms"]
    steps = len(next(iter(norms.values()))["rnn"]) - 1
    at = [k for k in (1, 5, 10, 20, 40, 60) if k <= steps]
    yield "## How far back a gradient reaches"
    yield ""
    yield "The norm of d(loss at the last step) / d(input k steps before), as a share of its norm"
    yield f"at the last step; one layer of {numbers['width']} units before any training, the"
    yield f"geometric mean of {numbers['seeds']} seeds. Once with orthogonal recurrences and an"
    yield "LSTM that begins by remembering, as Parley trains, once with torch's uniform start."
    yield ""
    yield "![Norm of the gradient by steps back in time](gradients.png)"
    yield ""
    yield from table(
        ("start", "cell", *(f"k = {k}" for k in at)),
        (
            (start, _cell(cell), *(f"{line[k] / line[0]:.1e}" for k in at))
            for start, cells in norms.items()
            for cell, line in cells.items()
        ),
    )
    if "strings" not in parts:
        return
    yield ""
    yield "The right-hand plot asks the models that were trained to reverse strings: of the"
    yield "gradient of the loss of the last symbol, which share arrives at each symbol of the"
    yield "source? Only the first one decides the answer, and it was read first: to a fixed"
    yield "vector it is the furthest away. With attention it can be one step away. Its share,"
    yield "before training and after:"
    yield ""
    yield from table(
        ("rung", "before", "after"),
        (
            (
                name,
                *(f"{_first_share(rung[key]):.1f} %" for key in ("reach_fresh", "reach_trained")),
            )
            for name, rung in parts["strings"]["tasks"]["reversal"].items()
        ),
    )


def _strings(parts: Parts) -> Iterator[str]:
    numbers = parts["strings"]
    longest, beyond = numbers["longest"], numbers["beyond"]
    at = sorted({2, longest // 4, longest // 2, longest, beyond} - {0, 1})
    yield "## Copying and reversing strings"
    yield ""
    yield f"Each rung took {numbers['steps']} steps, on the same batches of strings of 2 to"
    yield f"{longest} letters, with the learning rate of its recipe; then it was asked for strings"
    yield f"of every length up to {beyond}, none of which it was trained on. Steps are equal,"
    yield "parameters are not: they stand in the table. Broken lines have one fixed vector, the"
    yield "others attention."
    yield ""
    yield "![What is right by length](strings.png)"
    for task, rungs in numbers["tasks"].items():
        yield ""
        yield f"Symbols right in %, {task}, by length; and the longest strings of which nine in"
        yield "ten are wholly right:"
        yield ""
        yield from table(
            ("rung", "parameters", *map(str, at), "whole up to"),
            (
                (
                    name,
                    f"{rung['parameters']:,}",
                    *(f"{rung['symbols'][rung['lengths'].index(length)]:.0f}" for length in at),
                    _whole_up_to(rung),
                )
                for name, rung in rungs.items()
            ),
        )
    attending = [n for n, rung in next(iter(numbers["tasks"].values())).items() if "map" in rung]
    if attending:
        yield ""
        yield f"Where they look, one string each ({', '.join(attending)}; above copying, below"
        yield "reversing). Each row is a symbol that the model says, each column one that it"
        yield "read:"
        yield ""
        yield "![Attention on strings](maps-strings.png)"


def _texts(parts: Parts) -> Iterator[str]:
    numbers = parts["texts"]
    about, rungs = numbers["about"], numbers["rungs"]
    metric = "BLEU" if about["metric"] == "bleu" else "% wholly right"
    if about["given"]:
        yield "## Real sentences"
        yield ""
        whose = f" ({about['attribution']})" if about["attribution"] else ""
        yield f"From `{about['corpus']}`{whose}:"
        yield f"{about['train_pairs']:,} training pairs and {about['dev_sources']:,} other"
        yield f"sources, {numbers['steps']} steps on the same batches for each; greedy decoding,"
        yield "sacreBLEU."
    else:
        yield "## Written dates"
        yield ""
        yield "No texts were given (`--tsv`), so these are **generated dates**: written in many"
        yield f"styles, to be turned into ISO 8601. {about['train_pairs']:,} training pairs,"
        yield f"{about['dev_sources']:,} other dates, {numbers['steps']} steps on the same batches"
        yield "for each. An answer of one word has no BLEU; the share of wholly right answers"
        yield "stands for it."
    yield ""
    yield "`bidirectional` has one fixed vector; `attention-additive` is the same with attention."
    yield ""
    yield "![The score by the length of the source](texts.png)"
    yield ""
    yield from table(
        ("rung", "parameters", f"{metric}, all", *_spans(about)),
        (
            (
                name,
                f"{rung['parameters']:,}",
                f"{rung['all']:.1f}",
                *(f"{value:.1f}" for value in rung["by_length"]),
            )
            for name, rung in rungs.items()
        ),
    )
    if any(rung["maps"] for rung in rungs.values()):
        yield ""
        yield "Where they look while they say what they say, right or wrong (rows are said,"
        yield "columns read; of the Transformer the last layer, the mean of its heads):"
        yield ""
        yield "![Attention on sentences](maps-texts.png)"


def _published(parts: Parts) -> Iterator[str]:
    yield f"## Where a published model looks: {parts['published']['model']}"
    yield ""
    yield "A model of the same kind that was trained for longer, on golden examples of its bundle,"
    yield "as the server's engine decodes them greedily (rows are said, columns read):"
    yield ""
    yield "![Attention of a published model](maps-published.png)"


def _costs(parts: Parts) -> Iterator[str]:
    rungs = parts["costs"]["rungs"]
    yield "## What each rung costs"
    yield ""
    yield "Parameters, and symbols a second of the target: training on 64 strings of 16,"
    yield "decoding 64 at once and one by itself. In torch, on one thread, at the recipes'"
    yield "widths, which differ. The server decodes with another engine; its speed is another"
    yield "measurement."
    yield ""
    yield "![Parameters and speeds](costs.png)"
    yield ""
    yield from table(
        ("rung", "parameters", "training", "decoding 64", "decoding 1"),
        (
            (
                name,
                f"{rung['parameters']:,}",
                *(f"{rung[key]:,.0f}" for key in ("training", "decoding", "decoding_alone")),
            )
            for name, rung in rungs.items()
        ),
    )


def _spans(about: Mapping[str, Any]) -> list[str]:
    ranges = [f"{low}-{high}" if low < high else f"{low}" for low, high in about["buckets"]]
    return [f"{ranges[0]} {about['unit']}", *ranges[1:]]


def _whole_up_to(rung: Mapping[str, Any]) -> str:
    """The longest strings before the first length at which one in ten is wrong."""
    known = "none"
    for length, share in zip(rung["lengths"], rung["exact"], strict=True):
        if share < 90:
            break
        known = f"{length:.0f}"
    return known


def _first_share(norms: Sequence[float]) -> float:
    return 100 * norms[0] / (sum(norms) or 1.0)


def _cell(cell: str) -> str:
    return "plain" if cell == "rnn" else cell.upper()


# By the part of the numbers that a section tells of, in the order in which they are read.
SECTIONS: dict[str, Callable[[Parts], Iterator[str]]] = {
    "gradients": _gradients,
    "strings": _strings,
    "texts": _texts,
    "published": _published,
    "costs": _costs,
}
