"""The quality entries of the manifest: the development set, translated by the serving engine, text
to text.
"""

from __future__ import annotations

from collections.abc import Sequence

from service.bundle import Quality
from service.translation import TranslateOptions
from training.config import Recipe
from training.data.corpus import Reference
from training.evaluate import Metric, score
from training.export.runner import Candidate

__all__ = ["measure"]

_GROUP = 256  # texts in the engine at once


def measure(
    candidate: Candidate,
    dev: Sequence[Reference],
    metrics: Sequence[Metric],
    beam: int,
    recipe: Recipe,
) -> list[Quality]:
    """Every metric at one beam width, with the decoding defaults of the candidate's manifest."""
    translator = candidate.translator()
    options = TranslateOptions(beam=beam)
    outputs: list[str] = []
    for start in range(0, len(dev), _GROUP):
        texts = [entry.source for entry in dev[start : start + _GROUP]]
        outputs += [each.hypotheses[0].text for each in translator.translate_now(texts, options)]
    references = [entry.targets for entry in dev]
    scheme = candidate.manifest.quantisation.scheme
    if candidate.shortlist is not None:
        scheme += " with a shortlist"
    note = f"{len(dev)} sources, {sum(map(len, references))} references, quantisation {scheme}"
    return [
        Quality(
            metric=result.metric,
            value=round(result.value, 2),
            signature=result.signature,
            dataset=f"{recipe.name} dev",
            beam=beam,
            note=note,
        )
        for result in (
            score(metric, outputs, references, tokenize=recipe.evaluation.tokenize)
            for metric in metrics
        )
    ]
