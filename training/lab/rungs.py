"""What is compared: rungs of the ladder, as their recipes in ``training/recipes`` have them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from training.config import Recipe, load_recipe

__all__ = ["LADDER", "QUICK_LADDER", "TEXT_LADDER", "Rung", "all_rungs", "ladder", "text_ladder"]

_RECIPES = Path(__file__).resolve().parents[1] / "recipes" / "ladder"

LADDER = (
    "elman",
    "lstm",
    "gru",
    "bidirectional",
    "attention-dot",
    "attention-additive",
    "attention-multihead",
    "transformer",
    "hybrid",
)
# The first is the second without its attention; the third has nothing else.
TEXT_LADDER = ("bidirectional", "attention-additive", "transformer")
QUICK_LADDER = ("elman", "gru", "attention-additive", "transformer")


@dataclass(frozen=True)
class Rung:
    """A model of the ladder and how it is trained: the ``model`` and ``optim`` of its recipe."""

    name: str
    recipe: Recipe

    @property
    def attends(self) -> bool:
        """Whether its decoder looks at single positions of the source."""
        config = self.recipe.model
        if config.decoder == "recurrent":
            return config.attention != "none"
        return config.decoder in {"hybrid", "transformer"}

    @property
    def transformer(self) -> bool:
        config = self.recipe.model
        return config.encoder == "transformer" and config.decoder == "transformer"

    @property
    def gated(self) -> bool:
        return not self.transformer and self.recipe.model.cell != "rnn"


def ladder(names: Sequence[str]) -> tuple[Rung, ...]:
    """The rungs of these names.

    Raises:
        RecipeError: a recipe is missing or not usable.
    """
    return tuple(Rung(name, load_recipe(_RECIPES / f"{name}.toml")[0]) for name in names)


def all_rungs() -> tuple[Rung, ...]:
    """Every recipe of the ladder: the known order first, then the others by name."""
    names = sorted(path.stem for path in _RECIPES.glob("*.toml"))
    return ladder([*LADDER, *(name for name in names if name not in LADDER)])


def text_ladder(*, given: bool) -> tuple[Rung, ...]:
    """The recipes as they are for dates; wider for given sentences."""
    rungs = ladder(TEXT_LADDER)
    return tuple(_widened(rung) for rung in rungs) if given else rungs


def _widened(rung: Rung) -> Rung:
    recipe: Recipe = rung.recipe
    changes: dict[str, int] = {
        name: 2 * getattr(recipe.model, name)
        for name in ("embedding", "encoder_hidden", "decoder_hidden", "attention_width")
    }
    if recipe.model.decoder == "recurrent":
        changes["embedding"] = 4 * recipe.model.embedding  # 32 tell ten letters apart, not words
    else:
        changes["encoder_feed_forward"] = 2 * recipe.model.encoder_feed_forward
        changes["decoder_feed_forward"] = 2 * recipe.model.decoder_feed_forward
    model = dataclasses.replace(recipe.model, **changes)  # type: ignore[arg-type]  # values by field name, checked by the recipe
    optim = dataclasses.replace(recipe.optim, label_smoothing=0.1)
    return Rung(rung.name, dataclasses.replace(recipe, model=model, optim=optim))
