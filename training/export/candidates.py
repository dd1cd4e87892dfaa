"""A model as what could be published: graphs, and all of the manifest but quality and files."""

from __future__ import annotations

import datetime

from service import __version__
from service.bundle import (
    FORMAT_VERSION,
    DecodeDefaults,
    Limits,
    Manifest,
    Provenance,
    Quantisation,
)
from training.config import Recipe
from training.export.architecture import described, described_together
from training.export.arithmetic import Arithmetic, Float32
from training.export.graphs import export_graphs
from training.export.runner import Candidate
from training.models import Ensemble, Seq2Seq
from training.preparation import Prepared

__all__ = ["make_candidate"]


def make_candidate(
    prepared: Prepared,
    model: Seq2Seq | Ensemble,
    arithmetic: Arithmetic,
    trained_minutes: float,
    threads: int,
) -> Candidate:
    """The model's graphs, multiplied as ``arithmetic`` says, and their manifest."""
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
        recipe=" --set ".join([prepared.recipe_path.name, *prepared.changes]),
        recipe_sha256=prepared.recipe_sha256,
        seed=recipe.seed,
        duration_minutes=round(trained_minutes, 1),
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        parley_version=__version__,
    )
