"""Which form of a model is published (float32, 8 bits, with a shortlist), and what each costs.

The development set is translated by each form in turn. What costs more quality than the recipe
allows, or what is not good enough at all, is refused.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from service.bundle import Quality
from training.config import Recipe
from training.evaluate import Metric
from training.export.calibration import calibrate
from training.export.candidates import make_candidate
from training.export.graphs import export_graphs
from training.export.int8 import StaticInt8
from training.export.quality import measure
from training.export.runner import Candidate
from training.export.shortlist import train_shortlist
from training.models import Ensemble, Seq2Seq
from training.preparation import Prepared

__all__ = ["ExportError", "choose_form"]

# What is measured for each metric that a recipe may choose, the chosen one first.
_METRICS: dict[Metric, tuple[Metric, ...]] = {
    "bleu": ("bleu", "chrf"),
    "chrf": ("chrf", "bleu"),
    "exact_match": ("exact_match",),
    "wer": ("wer",),
}


class ExportError(RuntimeError):
    """The model is not fit to be published; nothing was written."""


def choose_form(
    prepared: Prepared,
    model: Seq2Seq | Ensemble,
    exact: Candidate,
    trained_minutes: float,
    say: Callable[[str], None],
) -> tuple[Candidate, list[Quality]]:
    """The form that the recipe asks for, and its quality with the recipe's beam and greedy.

    ``exact`` is the float32 candidate, with which the others are compared.

    Raises:
        ExportError: it costs too much quality, or is not good enough.
    """
    recipe = prepared.recipe
    metrics = _METRICS[recipe.evaluation.metric]

    def scores(candidate: Candidate, beam: int) -> list[Quality]:
        found = measure(candidate, prepared.dev, metrics, beam, recipe)
        for each in found:
            say(f"  {_called(candidate)} beam {beam}: {each.metric} {each.value:.2f}")
        return found

    say(f"measuring quality on {len(prepared.dev)} development sentences")
    beam = recipe.evaluation.beam
    chosen, quality = exact, scores(exact, beam)
    before = quality[0].value
    if recipe.export.quantisation != "none":
        sample = np.random.default_rng(recipe.seed).permutation(len(prepared.train))
        examples = [prepared.train[i] for i in sample[: recipe.export.calibration_sentences]]
        arithmetic = StaticInt8(calibrate(model, examples, prepared.special))
        chosen = make_candidate(prepared, model, arithmetic, trained_minutes, exact.threads)
        quality = scores(chosen, beam)
        _check_drop(recipe, "8 bits", before, quality[0])
        if recipe.export.shortlist:
            say("learning the shortlist")
            chosen = _shortlisted(prepared, model, arithmetic, chosen)
            quality = scores(chosen, beam)
            _check_drop(recipe, "8 bits and the shortlist", before, quality[0])
    _check_minimum(recipe, quality)
    if beam > 1:
        quality += scores(chosen, 1)
    return chosen, quality


def _called(candidate: Candidate) -> str:
    shortlist = " with a shortlist" if candidate.shortlist else ""
    return f"{candidate.manifest.quantisation.scheme}{shortlist}"


def _shortlisted(
    prepared: Prepared, model: Seq2Seq | Ensemble, arithmetic: StaticInt8, whole: Candidate
) -> Candidate:
    """The same candidate, with a decoder that can score rows over a shortlist."""
    config = prepared.recipe.export
    shortlist = train_shortlist(
        prepared.train,
        prepared.tokenizer_spec.vocabulary_size,
        prepared.special,
        each=config.shortlist,
        always=config.shortlist_frequent,
    )
    exported = export_graphs(model, arithmetic, padding=prepared.special.pad)
    manifest = dataclasses.replace(whole.manifest, graphs=exported.graphs)
    return dataclasses.replace(whole, manifest=manifest, graphs=exported.files, shortlist=shortlist)


def _check_drop(recipe: Recipe, what: str, before: float, quality: Quality) -> None:
    drop = -recipe.evaluation.gain(quality.value, before)
    if drop > recipe.export.max_quality_drop:
        raise ExportError(
            f"{what} cost {drop:.2f} {quality.metric} ({before:.2f} to {quality.value:.2f}); "
            f"export.max_quality_drop is {recipe.export.max_quality_drop}"
        )


def _check_minimum(recipe: Recipe, quality: list[Quality]) -> None:
    config, found = recipe.evaluation, quality[0]
    if not config.suffices(found.value):
        bound = "maximum" if config.lower_is_better else "minimum"
        raise ExportError(
            f"{found.metric} is {found.value:.2f}; evaluation.{bound} of the recipe is "
            f"{getattr(config, bound)}"
        )
