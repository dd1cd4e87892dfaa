"""How much the lab does. Whatever decides a number stands here or in the recipes, and never is the
clock: minutes become steps by a fixed rate, so that a seed gives the same numbers on a slow machine
too.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path

from training.config import DataConfig
from training.lab.rungs import LADDER, Rung, all_rungs, ladder, text_ladder

__all__ = ["PARTS", "Plan", "Sizes", "quick_sizes", "sizes_for"]

PARTS = ("gradients", "strings", "texts", "published", "costs")
_MINUTES = 10.0  # what the sizes below take on two cores, with room to spare


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Steps, lengths and counts of every part."""

    reach_steps: int = 60  # how far back in time gradients are followed
    reach_seeds: int = 8
    reach_width: int = 64
    string_steps: int = 600  # the same for each rung, on the same batches
    string_tokens: int = 400  # padded target symbols in a batch
    string_pairs: int = 8000
    longest: int = 16  # symbols, in training
    beyond: int = 24  # symbols, in the tests
    per_length: int = 60  # strings of each length in the tests
    text_steps: int = 800
    text_tokens: int = 800
    text_pairs: int = 40_000  # at most
    text_dev: int = 1000
    vocabulary: int = 2000  # pieces, for given texts
    buckets: int = 5  # of source lengths
    repeats: int = 5  # of each measurement of speed


def sizes_for(minutes: float) -> Sizes:
    """As much training as fits into so many minutes."""
    plain, share = Sizes(), minutes / _MINUTES
    return dataclasses.replace(
        plain,
        string_steps=max(1, round(plain.string_steps * share)),
        text_steps=max(1, round(plain.text_steps * share)),
    )


def quick_sizes() -> Sizes:
    """A look: shorter strings, which are learnt sooner."""
    return Sizes(
        reach_seeds=3,
        string_steps=240,
        string_pairs=4000,
        longest=8,
        beyond=12,
        per_length=30,
        text_steps=400,
        text_pairs=8000,
        text_dev=300,
        repeats=3,
    )


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One run of the lab."""

    out: Path
    seed: int = 1
    sizes: Sizes = field(default_factory=Sizes)
    parts: tuple[str, ...] = PARTS
    rungs: tuple[Rung, ...] = field(default_factory=lambda: ladder(LADDER))
    cost_rungs: tuple[Rung, ...] = field(default_factory=all_rungs)
    text_rungs: tuple[Rung, ...] = field(default_factory=lambda: text_ladder(given=False))
    # Given texts; ``dev`` may be empty: then some of ``train`` is held out.
    texts: DataConfig | None = None
    data_dir: Path = Path()
    model: Path | None = None  # a published version, whose attention is drawn too
    command: str = "parley-train lab"
