"""The stages of ``parley-train run``, each usable alone: train, average, evaluate,
export.

Every stage takes what ``preparation.prepare`` made, and finds the weights of the one before it in
the run's directory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import NamedTuple

from service.threads import usable_cpus
from training.averaging import KeptWeights, average_weights
from training.checkpoint import CheckpointError, Progress, load_weights, save_weights
from training.config import ModelConfig, load_recipe
from training.data.batches import BatchSampler
from training.decode import greedy_decode, length_limit
from training.evaluate import Score, score
from training.export import Exported, export_bundle
from training.export.arithmetic import Float32
from training.export.candidates import make_candidate
from training.export.quality import measure
from training.models import Ensemble, Seq2Seq, make_model
from training.preparation import Prepared
from training.shrinking import shrink_into
from training.trainer import Trainer, TrainingPlan

__all__ = ["Averaged", "average", "evaluate", "export", "train"]


class Averaged(NamedTuple):
    """What came of averaging."""

    score: Score
    before: float  # the score of the best weights so far
    steps: list[int]
    taken: bool  # as the best weights


def train(prepared: Prepared, budget_minutes: float | None) -> Progress:
    """Train, or go on training, the recipe's model.

    Raises:
        Interrupted: it was asked to stop; the same call goes on.
        CheckpointError: what is in the run's directory cannot be gone on from, or the run to start
            from has no weights that fit.
    """
    recipe = prepared.recipe
    plan = TrainingPlan(
        recipe=recipe,
        recipe_sha256=prepared.recipe_sha256,
        run_dir=prepared.run_dir,
        special=prepared.special,
        sampler=BatchSampler(prepared.examples(), prepared.special, recipe.batches, recipe.seed),
        evaluate=lambda model: _score_dev(prepared, model).value,
        budget_minutes=budget_minutes,
    )
    return Trainer(plan, _first_model(prepared)).train()


def evaluate(prepared: Prepared, beam: int | None = None, members: Sequence[Path] = ()) -> Score:
    """The recipe's metric for the best weights so far, decoded greedily in torch.

    With a ``beam``, or of several ``members`` (see ``export``), what the serving engine makes of
    their graphs, in float32: text in, text out.

    Raises:
        CheckpointError: there are none.
    """
    model, minutes = _answering(prepared, members)
    if beam is None and isinstance(model, Seq2Seq):
        return _score_dev(prepared, model)
    config = prepared.recipe.evaluation
    served = make_candidate(prepared, model, Float32(), minutes, usable_cpus())
    [quality] = measure(served, prepared.dev, [config.metric], beam or config.beam, prepared.recipe)
    return Score(config.metric, quality.value, quality.signature)


def average(prepared: Prepared, most: int | None) -> Averaged:
    """Score the mean of the ``most`` best evaluations that the run kept; where it is better than
    the best of them, it becomes the run's best weights.

    Raises:
        CheckpointError: there are not two of them.
    """
    config, checkpoints = prepared.recipe.training, prepared.run_dir / "checkpoints"
    scoring = prepared.recipe.evaluation
    kept = KeptWeights(checkpoints / "kept", config.keep_best, scoring).best()[:most]
    if len(kept) < 2:
        raise CheckpointError(
            f"{checkpoints / 'kept'}: {len(kept)} kept evaluation(s), nothing to average; "
            "training.keep_best in the recipe says how many a run keeps"
        )
    model = _fresh_model(prepared)
    facts = load_weights(checkpoints / "best", model)
    average_weights(model, [entry.path for entry in kept])
    result = _score_dev(prepared, model.eval())
    before = float(facts[result.metric])
    better = scoring.gain(result.value, before) > 0
    if better:
        facts |= {result.metric: result.value, "averaged": [entry.step for entry in kept]}
        save_weights(checkpoints / "best", model, facts)
    return Averaged(result, before, [entry.step for entry in kept], better)


def export(
    prepared: Prepared, root: Path, say: Callable[[str], None], members: Sequence[Path] = ()
) -> Exported:
    """Verify the best weights as graphs and publish them as the next version; see
    ``training.export``.

    With ``members``, directories of runs or of weights that such runs kept, these models become one
    bundle that answers with the mean of their probabilities.

    Raises:
        CheckpointError: a member is missing, or has another tokenizer than the recipe.
    """
    model, minutes = _answering(prepared, members)
    return export_bundle(prepared, model, minutes, root, threads=usable_cpus(), say=say)


def _first_model(prepared: Prepared) -> Seq2Seq:
    """What the first step changes: random weights, or the best of the run to start from, of which a
    shallower model takes some of the layers.
    """
    model = _fresh_model(prepared)
    begun = (prepared.run_dir / "checkpoints" / "last").exists()  # the trainer goes on from there
    if prepared.start and not begun:
        recipe, _ = load_recipe(prepared.start / "recipe.toml")
        start = make_model(recipe.model, prepared.tokenizer_spec.vocabulary_size, recipe.seed)
        best = prepared.start / "checkpoints" / "best"
        load_weights(best, start)
        try:
            shrink_into(model, start)
        except CheckpointError as error:
            told = _differences(recipe.model, prepared.recipe.model)
            raise CheckpointError(f"{best}: {error}: {told}") from None
    return model


def _differences(there: ModelConfig, here: ModelConfig) -> str:
    return "; ".join(
        f"model.{field.name} is {getattr(there, field.name)!r} there, "
        f"{getattr(here, field.name)!r} here"
        for field in fields(ModelConfig)
        if getattr(there, field.name) != getattr(here, field.name)
    )


def _fresh_model(prepared: Prepared) -> Seq2Seq:
    recipe = prepared.recipe
    return make_model(recipe.model, prepared.tokenizer_spec.vocabulary_size, recipe.seed)


def _answering(prepared: Prepared, members: Sequence[Path]) -> tuple[Seq2Seq | Ensemble, float]:
    """The model of the run, or of all the members, and its minutes of training."""
    if not members:
        return _best_model(prepared)
    found = [_member(prepared, path) for path in members]
    return Ensemble(member for member, _ in found), sum(minutes for _, minutes in found)


def _best_model(prepared: Prepared) -> tuple[Seq2Seq, float]:
    """The best weights of the run, and how many minutes of training they took."""
    model = _fresh_model(prepared)
    facts = load_weights(prepared.run_dir / "checkpoints" / "best", model)
    return model.eval(), float(facts["minutes"])


def _member(prepared: Prepared, path: Path) -> tuple[Seq2Seq, float]:
    """The best weights of the run at ``path``, or the weights that lie there."""
    path = path.resolve()
    run = next((d for d in (path, *path.parents) if (d / "recipe.toml").exists()), None)
    if run is None:
        raise CheckpointError(f"{path}: neither a run nor weights of one (no recipe.toml)")
    file = run / "tokenizer" / prepared.tokenizer_spec.file
    if not file.exists() or file.read_bytes() != prepared.tokenizer_file:
        raise CheckpointError(
            f"{run}: its tokenizer is not the recipe's; models that answer together share one "
            "(train them with --seed, or from recipes with the same [data] and [tokenizer])"
        )
    recipe, _ = load_recipe(run / "recipe.toml")
    model = make_model(recipe.model, prepared.tokenizer_spec.vocabulary_size, recipe.seed)
    own = (path / "model.safetensors").exists()
    facts = load_weights(path if own else run / "checkpoints" / "best", model)
    return model.eval(), float(facts["minutes"])


def _score_dev(prepared: Prepared, model: Seq2Seq) -> Score:
    config = prepared.recipe.evaluation
    sources = [prepared.source_ids(entry.source) for entry in prepared.dev]
    limits = [
        length_limit(len(source), config, prepared.recipe.data.max_tokens) for source in sources
    ]
    outputs = greedy_decode(model, sources, prepared.special, limits)
    texts = [prepared.tokenizer.decode(ids) for ids in outputs]
    references = [entry.targets for entry in prepared.dev]
    return score(config.metric, texts, references, tokenize=config.tokenize)
