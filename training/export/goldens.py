"""Goldens: sentences with the exact answers of the exported graphs, which every server decodes
again before it serves them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from service.bundle import Golden, GoldenHypothesis
from service.decoding import DecodeOptions, DecodeRequest
from training.export.runner import Candidate

__all__ = ["golden_requests", "record_goldens"]


def golden_requests(
    candidate: Candidate, sources: Sequence[str]
) -> Iterator[tuple[str, DecodeRequest]]:
    """Each source greedily, and with the manifest's own beam and as many hypotheses as it is
    wide.
    """
    manifest = candidate.manifest
    beam = max(manifest.decoding.beam, 2)
    for source in sources:
        ids = (*candidate.tokenizer.encode(source), manifest.special_ids.eos)
        if len(ids) > manifest.limits.max_source_tokens:
            continue
        for options in (DecodeOptions(beam=1), DecodeOptions(beam=beam, n_best=beam)):
            yield source, options.resolve(ids, manifest.decoding, manifest.limits)


def record_goldens(candidate: Candidate, sources: Sequence[str]) -> list[Golden]:
    """Decode each on its own: a server that decodes them all in one crowd also proves that crowds
    change nothing.
    """
    engine = candidate.engine()
    return [
        Golden(
            source=source,
            beam=request.beam,
            length_normalisation=request.length_normalisation,
            length_penalty=request.length_penalty,
            coverage_penalty=request.coverage_penalty,
            min_length=request.min_length,
            max_length=request.max_length,
            hypotheses=tuple(
                GoldenHypothesis(
                    text=candidate.tokenizer.decode(each.tokens),
                    tokens=each.tokens,
                    score=each.score,
                )
                for each in engine.decode([request])[0].hypotheses
            ),
        )
        for source, request in golden_requests(candidate, sources)
    ]
