"""The fifth part: where a published model looks, which was trained for hours and not for a minute.

Its sentences are the golden examples in its bundle, its decoder is the server's engine.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from service.bundle import open_bundle
from service.decoding import Engine
from service.decoding.session import OnnxStepper
from service.translation import TranslateOptions, Translator

__all__ = ["published_maps"]

_MAPS = 3
_PIECES = 16  # of a source, at most: more cannot be read on a page


def published_maps(path: Path) -> dict[str, Any]:
    """Attention maps of the bundle at ``path``, as ``maps.attention_map`` has them.

    Raises:
        BundleError: there is none. InvalidArgument: its model has no attention.
    """
    bundle = open_bundle(path)
    translator = Translator(bundle, Engine(OnnxStepper.from_bundle(bundle, threads=1)))
    options = TranslateOptions(beam=1, soft_alignments=True, split_sentences=False)
    sources = sorted(
        {golden.source for golden in bundle.goldens},
        key=lambda source: (len(bundle.tokenizer.encode(source)), source),
    )
    short = [each for each in sources if len(bundle.tokenizer.encode(each)) <= _PIECES]
    answers = translator.translate_now(short[-_MAPS:], options)
    maps = []
    for answer in answers:
        said = [token for token in answer.hypotheses[0].tokens if token.attention]
        maps.append(
            {
                "source": list(answer.source_pieces),
                "target": [token.piece for token in said],
                "weights": [[round(weight, 4) for weight in token.attention] for token in said],
            }
        )
    manifest = bundle.manifest
    return {"model": f"{manifest.name}/{manifest.version}", "maps": maps}
