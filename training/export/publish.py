"""The export: graphs, parity, quantisation, quality, goldens, card; and only then the next version.

    model -> float32 graphs -> parity -> calibration -> 8-bit graphs -> quality -> goldens -> bundle

Whatever is wrong stops it before anything is written below ``exported/``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from service.bundle import (
    SHORTLIST_FILE,
    Golden,
    Manifest,
    dump_goldens,
    dump_shortlist,
    publish_bundle,
)
from training.export.arithmetic import Float32
from training.export.candidates import make_candidate
from training.export.card import model_card
from training.export.choice import ExportError, choose_form
from training.export.goldens import golden_requests, record_goldens
from training.export.parity import ParityReport, check_parity
from training.export.runner import Candidate
from training.models import Ensemble, Seq2Seq
from training.preparation import Prepared

__all__ = ["ExportError", "Exported", "export_bundle"]

_PARITY_SENTENCES = 64
_MAX_GOLDEN_CHARACTERS = 120


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
    exact = make_candidate(prepared, model, Float32(), trained_minutes, threads)
    requests = [
        request for _, request in golden_requests(exact, _spread(prepared, _PARITY_SENTENCES))
    ]
    parity = check_parity(exact, model, requests)
    for line in parity.lines():
        say(f"  {line}")
    chosen, quality = choose_form(prepared, model, exact, trained_minutes, say)
    manifest = dataclasses.replace(chosen.manifest, quality=tuple(quality))
    chosen = dataclasses.replace(chosen, manifest=manifest)
    say("recording goldens")
    goldens = record_goldens(chosen, _spread(prepared, prepared.recipe.export.goldens))
    path = publish_bundle(root, manifest, _files(prepared, chosen, goldens, parity))
    say(f"published {path}")
    return Exported(path=path, manifest=manifest, parity=parity)


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
