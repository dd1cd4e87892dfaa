"""The plots, each from the numbers of one part. Written without a display and without dates, so
that the same numbers give the same file.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image

__all__ = ["draw_costs", "draw_gradients", "draw_maps", "draw_strings", "draw_texts"]

_DOTS = 100  # per inch
_DASHES = {True: "-", False: (0, (4, 2))}  # with attention, without
_SMALL = 8

Numbers = Mapping[str, Any]


def draw_gradients(numbers: Numbers, strings: Numbers | None, path: Path) -> None:
    """Norms by steps back in time; and, of trained models, where the gradient arrives."""
    figure, panels = _figure(2 if strings is None else 3, 1, (12 if strings else 8, 3.6))
    for axes, (start, cells) in zip(panels[:2], numbers["norms"].items(), strict=True):
        for cell, norms in cells.items():
            relative = [norm / norms[0] for norm in norms]
            axes.plot(relative, label={"rnn": "plain"}.get(cell, cell.upper()))
        axes.set_yscale("log")
        axes.set_title(f"{start} start", fontsize=10)
        axes.set_xlabel("steps back in time")
    panels[0].set_ylabel("norm of the gradient, of the last step's")
    panels[0].legend(fontsize=_SMALL)
    low = min(axes.get_ylim()[0] for axes in panels[:2])
    for axes in panels[:2]:
        axes.set_ylim(max(low, 1e-20), None)
    if strings is not None:
        _draw_reach(panels[2], strings)
    _save(figure, path)


def _draw_reach(axes: Axes, strings: Numbers) -> None:
    for index, (name, rung) in enumerate(strings["tasks"]["reversal"].items()):
        norms = rung["reach_trained"]
        whole = sum(norms) or 1.0
        axes.plot(
            range(1, len(norms) + 1),
            [norm / whole for norm in norms],
            label=name,
            color=f"C{index}",
            linestyle=_DASHES["map" in rung],
        )
    axes.set_title("trained to reverse: the last symbol said", fontsize=10)
    axes.set_xlabel("source symbol (the 1st is wanted)")
    axes.set_ylabel("share of the gradient")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)


def draw_strings(numbers: Numbers, path: Path) -> None:
    """What is right by length: a column for each task; symbols above, whole strings below."""
    tasks = numbers["tasks"]
    figure, panels = _figure(len(tasks), 2, (10.5, 6))
    for column, (task, rungs) in enumerate(tasks.items()):
        for row, key in enumerate(("symbols", "exact")):
            axes = panels[row * len(tasks) + column]
            for index, (name, rung) in enumerate(rungs.items()):
                axes.plot(
                    rung["lengths"],
                    rung[key],
                    label=name,
                    color=f"C{index}",
                    linestyle=_DASHES["map" in rung],
                )
            axes.axvline(numbers["longest"] + 0.5, color="black", linewidth=0.8, linestyle=":")
            axes.set_ylim(-3, 103)
        panels[column].set_title(task, fontsize=10)
        panels[len(tasks) + column].set_xlabel("symbols (dotted: the longest in training)")
    panels[0].set_ylabel("symbols right, %")
    panels[len(tasks)].set_ylabel("strings wholly right, %")
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside right upper", fontsize=_SMALL, frameon=False)
    _save(figure, path)


def draw_texts(numbers: Numbers, path: Path) -> None:
    """The score by the length of the source."""
    about, rungs = numbers["about"], numbers["rungs"]
    figure, (axes,) = _figure(1, 1, (6, 3.6))
    labels = [_span(low, high) for low, high in about["buckets"]]
    for index, (name, rung) in enumerate(rungs.items()):
        axes.plot(
            labels,
            rung["by_length"],
            marker="o",
            label=_text_label(name),
            color=f"C{index}",
            linestyle=_DASHES[bool(rung["maps"])],
        )
    axes.set_xlabel(f"{about['unit']} of the source")
    axes.set_ylabel("BLEU" if about["metric"] == "bleu" else "wholly right, %")
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=_SMALL)
    _save(figure, path)


def draw_maps(maps: Mapping[str, Sequence[Numbers]], path: Path) -> None:
    """A row for each name; a column for each source. Dark is a large weight."""
    columns = max(map(len, maps.values()))
    widest = max(len(each["source"]) for row in maps.values() for each in row)
    side = max(2.6, min(4.2, 0.21 * widest))
    figure, panels = _figure(columns, len(maps), (side * columns, side * len(maps)))
    for row, (name, drawn) in enumerate(maps.items()):
        for column in range(columns):
            axes = panels[row * columns + column]
            axes.grid(visible=False)
            if column >= len(drawn):
                axes.set_axis_off()
                continue
            each = drawn[column]
            axes.imshow(each["weights"], cmap="Greys", vmin=0, vmax=1, aspect="auto")
            upright = max(map(len, each["source"][:-1]), default=0) == 1  # but for eos
            read, said = _shown(each["source"]), _shown(each["target"])
            axes.set_xticks(range(len(read)), read, rotation=0 if upright else 90)
            axes.set_yticks(range(len(said)), said)
            axes.tick_params(labelsize=7, length=0)
            axes.set_title(each.get("title", name), fontsize=_SMALL)
    _save(figure, path)


def draw_costs(rungs: Mapping[str, Numbers], path: Path) -> None:
    """Bars: parameters, and speeds."""
    kinds = (
        ("parameters", "parameters, thousands", 1e-3),
        ("training", "training, thousand symbols/s", 1e-3),
        ("decoding", "decoding 64 at once, thousand symbols/s", 1e-3),
    )
    figure, panels = _figure(len(kinds), 1, (10, 0.9 + 0.25 * len(rungs)))
    names = list(rungs)[::-1]  # the first rung on top
    for index, (axes, (key, label, scale)) in enumerate(zip(panels, kinds, strict=True)):
        bars = axes.barh(names, [rungs[name][key] * scale for name in names], color=f"C{index}")
        axes.bar_label(bars, fmt="{:.3g}", fontsize=7, padding=2)
        axes.margins(x=0.15)
        axes.set_xlabel(label, fontsize=_SMALL)
        axes.tick_params(labelsize=_SMALL, labelleft=index == 0)
        axes.grid(visible=False)
    _save(figure, path)


def _figure(columns: int, rows: int, size: tuple[float, float]) -> tuple[Figure, list[Axes]]:
    """A figure of its own: pyplot would keep it for the life of the process."""
    figure = Figure(figsize=size, layout="constrained")
    panels: list[Axes] = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes in panels:
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    return figure, panels


def _save(figure: Figure, path: Path) -> None:
    with mpl.rc_context({"font.family": "DejaVu Sans"}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # scripts that the font lacks show as boxes
        drawn = io.BytesIO()
        figure.savefig(drawn, dpi=_DOTS, metadata={"Software": None})
    # A third of the size: lines and greys need no millions of colours.
    few = Image.open(drawn).convert("RGB").quantize(128, dither=Image.Dither.NONE)
    few.save(path, "PNG", optimize=True)


def _span(low: int, high: int) -> str:
    return f"{low}" if low == high else f"{low}-{high}"


def _shown(pieces: Sequence[str]) -> list[str]:
    """The end as a word; a dollar would begin mathematics."""
    return ["eos" if piece == "</s>" else piece.replace("$", r"\$") for piece in pieces]


def _text_label(name: str) -> str:
    return {"bidirectional": "fixed vector", "attention-additive": "additive attention"}.get(
        name, name
    )
