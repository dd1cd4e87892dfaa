"""The export: graphs, parity, quantisation, quality, goldens, card; and only then the next version.

    model -> float32 graphs -> parity -> calibration -> 8-bit graphs -> quality -> goldens -> bundle

Whatever is wrong stops it before anything is written below ``exported/``.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from service import __version__
from service.bundle import (
    FORMAT_VERSION,
    SHORTLIST_FILE,
    DecodeDefaults,
    Golden,
    Limits,
    Manifest,
    Provenance,
    Quality,
    Quantisation,
    dump_goldens,
    dump_shortlist,
    publish_bundle,
)
from training.config import Recipe
from training.evaluate import Metric
from training.export.architecture import described, described_together
from training.export.arithmetic import Arithmetic, Float32, StaticInt8
from training.export.calibration import calibrate
from training.export.card import model_card
from training.export.goldens import golden_requests, record_goldens
from training.export.graphs import export_graphs
from training.export.parity import ParityReport, check_parity
from training.export.quality import measure
from training.export.runner import Candidate
from training.export.shortlist import train_shortlist
from training.models import Ensemble, Seq2Seq
from training.preparation import Prepared

__all__ = ["ExportError", "Exported", "export_bundle"]

_PARITY_SENTENCES = 64
# What is measured for each metric that a recipe may choose, the chosen one first.
_METRICS: dict[Metric, tuple[Metric, ...]] = {
    "bleu": ("bleu", "chrf"),
    "chrf": ("chrf", "bleu"),
    "exact_match": ("exact_match",),
}
_MAX_GOLDEN_CHARACTERS = 120


class ExportError(RuntimeError):
    """The model is not fit to be published; nothing was written."""


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What was published, and how it was checked."""

    path: Path
    manifest: Manifest
    parity: ParityReport


def export_bundle(
    prepared: Prepared,
    model: Seq2Seq | Ensemble,
    trained_minutes: float,
    root: Path,
    *,
    threads: int,
    say: Callable[[str], None],
) -> Exported:
    """Publish ``model`` (on the CPU) as the next version of the recipe's name below ``root``.

    Raises:
        ParityError: the graphs do not compute what the model does. ExportError: 8 bits cost more
        quality than the recipe allows, or the quality is below its minimum. BundleError: the bundle
        breaks a rule of the format.
    """
    model = model.cpu().float().eval()
    say("writing the float32 graphs and comparing them with the model")
    exact = _candidate(prepared, model, Float32(), trained_minutes, threads)
    requests = [
        request for _, request in golden_requests(exact, _spread(prepared, _PARITY_SENTENCES))
    ]
    parity = check_parity(exact, model, requests)
    for line in parity.lines():
        say(f"  {line}")
    chosen, quality = _measured(prepared, model, exact, trained_minutes, say)
    _check_minimum(prepared.recipe, quality)
    manifest = dataclasses.replace(chosen.manifest, quality=tuple(quality))
    chosen = dataclasses.replace(chosen, manifest=manifest)
    say("recording goldens")
    goldens = record_goldens(chosen, _spread(prepared, prepared.recipe.export.goldens))
    path = publish_bundle(root, manifest, _files(prepared, chosen, goldens, parity))
    say(f"published {path}")
    return Exported(path=path, manifest=manifest, parity=parity)


def _measured(
    prepared: Prepared,
    model: Seq2Seq | Ensemble,
    exact: Candidate,
    trained_minutes: float,
    say: Callable[[str], None],
) -> tuple[Candidate, list[Quality]]:
    """The candidate to publish, quantised if the recipe says so, and its quality greedy and with a
    beam.
    """
    recipe = prepared.recipe
    metrics = _METRICS[recipe.evaluation.metric]

    def scores(candidate: Candidate, beam: int) -> list[Quality]:
        found = measure(candidate, prepared.dev, metrics, beam, f"{recipe.name} dev")
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
        chosen = _candidate(prepared, model, arithmetic, trained_minutes, exact.threads)
        quality = scores(chosen, beam)
        _check_drop(recipe, "8 bits", before, quality[0])
        if recipe.export.shortlist:
            say("learning the shortlist")
            chosen = _shortlisted(prepared, model, arithmetic, chosen)
            quality = scores(chosen, beam)
            _check_drop(recipe, "8 bits and the shortlist", before, quality[0])
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
    exported = export_graphs(model, arithmetic, shortlisted=True)
    manifest = dataclasses.replace(whole.manifest, graphs=exported.graphs)
    return dataclasses.replace(whole, manifest=manifest, graphs=exported.files, shortlist=shortlist)


def _check_drop(recipe: Recipe, what: str, before: float, quality: Quality) -> None:
    drop = before - quality.value
    if drop > recipe.export.max_quality_drop:
        raise ExportError(
            f"{what} cost {drop:.2f} {quality.metric} ({before:.2f} to {quality.value:.2f}); "
            f"export.max_quality_drop is {recipe.export.max_quality_drop}"
        )


def _check_minimum(recipe: Recipe, quality: list[Quality]) -> None:
    if quality[0].value < recipe.evaluation.minimum:
        raise ExportError(
            f"{quality[0].metric} is {quality[0].value:.2f}; evaluation.minimum of the recipe is "
            f"{recipe.evaluation.minimum}"
        )


def _candidate(
    prepared: Prepared,
    model: Seq2Seq | Ensemble,
    arithmetic: Arithmetic,
    trained_minutes: float,
    threads: int,
) -> Candidate:
    recipe = prepared.recipe
    exported = export_graphs(model, arithmetic)
    scheme = "none" if isinstance(arithmetic, Float32) else recipe.export.quantisation
    manifest = Manifest(
        format_version=FORMAT_VERSION,
        name=recipe.name,
        version=1,  # the publisher takes the next free one
        task=recipe.task,
        source_language=recipe.source_language,
        target_language=recipe.target_language,
        architecture=_architecture(recipe, model),
        tokenizer=prepared.tokenizer_spec,
        special_ids=prepared.special,
        limits=Limits(
            max_source_tokens=recipe.data.max_tokens, max_target_tokens=recipe.data.max_tokens
        ),
        graphs=exported.graphs,
        memories=exported.memories,
        states=exported.states,
        decoding=DecodeDefaults(
            beam=recipe.evaluation.beam,
            length_normalisation=recipe.evaluation.length_normalisation,
            length_penalty=recipe.evaluation.length_penalty,
            coverage_penalty=recipe.evaluation.coverage_penalty,
            max_length_ratio=recipe.evaluation.max_length_ratio,
            max_length_offset=recipe.evaluation.max_length_offset,
        ),
        # Both arithmetics have this property by construction; the goldens prove it again at every
        # load.
        quantisation=Quantisation(scheme=scheme, batch_invariant=True),
        quality=(),
        provenance=_provenance(prepared, trained_minutes),
        files={},
    )
    return Candidate(manifest, prepared.tokenizer, exported.files, threads)


def _architecture(recipe: Recipe, model: Seq2Seq | Ensemble) -> dict[str, str | int | float | bool]:
    """What a reader of ``parley inspect`` wants to know."""
    parameters = sum(parameter.numel() for parameter in model.parameters())
    if isinstance(model, Ensemble):
        return {**described_together(model.members), "parameters": parameters}
    return {
        **described(recipe.model),
        "embedding": recipe.model.embedding,
        "parameters": parameters,
    }


def _provenance(prepared: Prepared, trained_minutes: float) -> Provenance:
    recipe = prepared.recipe
    data = recipe.data
    described = f"generated ({data.kind})" if data.generated else data.train
    return Provenance(
        data=f"{described}, {len(prepared.train)} pairs",
        licence=data.licence or "unstated",
        attribution=data.attribution,
        recipe=prepared.recipe_path.name,
        recipe_sha256=prepared.recipe_sha256,
        seed=recipe.seed,
        duration_minutes=round(trained_minutes, 1),
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        parley_version=__version__,
    )


def _spread(prepared: Prepared, count: int) -> list[str]:
    """Development sources of all lengths: every n-th when sorted by length."""
    every = sorted((entry.source for entry in prepared.dev), key=lambda s: (len(s), s))
    # Short ones where there are any: a server decodes them all at every start.
    sources = [source for source in every if len(source) <= _MAX_GOLDEN_CHARACTERS] or every
    places = np.linspace(0, len(sources) - 1, num=min(count, len(sources)))
    return [sources[round(place)] for place in places]


def _files(
    prepared: Prepared, candidate: Candidate, goldens: list[Golden], parity: ParityReport
) -> dict[str, bytes]:
    files = {
        **candidate.graphs,
        prepared.tokenizer_spec.file: prepared.tokenizer_file,
        "goldens.jsonl": dump_goldens(goldens),
        "README.md": model_card(candidate.manifest, goldens, parity.lines()).encode(),
    }
    if candidate.shortlist is not None:
        files[SHORTLIST_FILE] = dump_shortlist(candidate.shortlist)
    return files
