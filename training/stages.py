"""The stages of ``parley-train run``, each usable alone: prepare, train, evaluate, export."""

from __future__ import annotations

from training.checkpoint import Progress
from training.data.batches import BatchSampler
from training.decode import greedy_decode, length_limit
from training.evaluate import score
from training.models import Seq2Seq, make_model
from training.preparation import Prepared
from training.trainer import Trainer, TrainingPlan

__all__ = ["score_dev", "train"]


def train(prepared: Prepared, budget_minutes: float | None) -> Progress:
    """Train, or go on training, the recipe's model."""
    recipe = prepared.recipe
    plan = TrainingPlan(
        recipe=recipe,
        recipe_sha256=prepared.recipe_sha256,
        run_dir=prepared.run_dir,
        special=prepared.special,
        sampler=BatchSampler(prepared.train, prepared.special, recipe.batches, recipe.seed),
        evaluate=lambda model: score_dev(prepared, model),
        budget_minutes=budget_minutes,
    )
    model = make_model(recipe.model, prepared.tokenizer_spec.vocabulary_size, recipe.seed)
    return Trainer(plan, model).train()


def score_dev(prepared: Prepared, model: Seq2Seq) -> float:
    """The recipe's metric on the development set, decoded greedily in torch."""
    config = prepared.recipe.evaluation
    sources = [prepared.source_ids(entry.source) for entry in prepared.dev]
    limits = [
        length_limit(len(source), config, prepared.recipe.data.max_tokens) for source in sources
    ]
    outputs = greedy_decode(model, sources, prepared.special, limits)
    texts = [prepared.tokenizer.decode(ids) for ids in outputs]
    return score(config.metric, texts, [entry.targets for entry in prepared.dev]).value
