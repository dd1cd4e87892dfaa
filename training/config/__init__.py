"""Recipes: what can be said of a model before it exists, a file for each part."""

from training.config.changes import to_toml
from training.config.data import DataConfig, SubwordConfig, TokenizerConfig
from training.config.model import ModelConfig
from training.config.optim import BatchConfig, OptimConfig, TrainingConfig
from training.config.outcome import EvaluationConfig, ExportConfig
from training.config.recipe import Recipe, RecipeError, SuiteConfig, load_recipe

__all__ = [
    "BatchConfig",
    "DataConfig",
    "EvaluationConfig",
    "ExportConfig",
    "ModelConfig",
    "OptimConfig",
    "Recipe",
    "RecipeError",
    "SubwordConfig",
    "SuiteConfig",
    "TokenizerConfig",
    "TrainingConfig",
    "load_recipe",
    "to_toml",
]
