"""Recipes: one typed TOML file describes one model from corpus to bundle.

Unknown keys, missing keys and values out of range are errors, all reported together with their
dotted path.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from service.bundle import is_language, is_model_name
from service.bundle.schema import SchemaError, parse
from training.config.changes import ChangeError, changed, filled_in
from training.config.data import DataConfig, SubwordConfig, TokenizerConfig
from training.config.model import ModelConfig
from training.config.optim import BatchConfig, OptimConfig, TrainingConfig
from training.config.outcome import EvaluationConfig, ExportConfig

__all__ = ["Recipe", "RecipeError", "SuiteConfig", "load_recipe"]


class RecipeError(ValueError):
    """A recipe that cannot be used; the message lists everything that is wrong with it."""


@dataclass(frozen=True, kw_only=True)
class SuiteConfig:
    """One recipe, several models: one for each value of a parameter."""

    parameter: str = ""
    values: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that decides what a model becomes."""

    name: str
    source_language: str
    target_language: str
    data: DataConfig
    training: TrainingConfig
    task: Literal["translation", "transduction"] = "translation"
    seed: int = 1
    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)
    subwords: SubwordConfig = field(default_factory=SubwordConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    batches: BatchConfig = field(default_factory=BatchConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    export: ExportConfig = field(default_factory=ExportConfig)
    parameters: dict[str, str] = field(default_factory=dict)  # see training.config.changes
    suite: SuiteConfig = field(default_factory=SuiteConfig)

    def validate(self) -> Iterator[str]:
        if not is_model_name(self.name):
            yield f"name: {self.name!r} cannot name a model (letters, digits and . _ -)"
        for name in ("source_language", "target_language"):
            if not is_language(getattr(self, name)):
                yield f"{name}: {getattr(self, name)!r} is no BCP-47 language tag"
        if not 0 <= self.seed < 2**32:
            yield f"seed: must be in 0..{2**32 - 1}, not {self.seed}"
        if (
            self.optim.schedule == "plateau"
            and self.optim.plateau_patience >= self.training.patience
        ):
            yield (
                f"optim.plateau_patience: {self.optim.plateau_patience} must be below "
                f"training.patience {self.training.patience}, or training ends before the rate "
                "falls"
            )
        if self.suite.values and self.suite.parameter not in self.parameters:
            yield f"suite.parameter: {self.suite.parameter!r} is none of the parameters"
        if self.subwords.active and self.tokenizer.kind != "sentencepiece":
            yield "subwords: a character can be cut in one way only; source and target must be 0"


def load_recipe(path: Path, changes: Sequence[str] = ()) -> tuple[Recipe, str]:
    """The recipe at ``path``, changed as ``changes`` say (see ``training.config.changes``), and the
    SHA-256 of its text and of them, which the manifest records.

    Raises:
        RecipeError: the file cannot be read, is not TOML, or does not describe a recipe.
    """
    try:
        text = path.read_text(encoding="utf-8")
        recipe = parse(Recipe, filled_in(changed(tomllib.loads(text), changes)))
    except OSError as error:
        raise RecipeError(f"{path}: {error.strerror or error}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RecipeError(f"{path}: not a TOML file: {error}") from None
    except ChangeError as error:
        raise RecipeError(f"{path}: {error}") from None
    except SchemaError as error:
        listed = "\n".join(f"  {problem}" for problem in error.problems)
        raise RecipeError(f"{path}: {len(error.problems)} problem(s)\n{listed}") from None
    said = "".join(f" --set {change}" for change in changes)
    return recipe, hashlib.sha256((text + said).encode()).hexdigest()
