"""The model card, generated from the manifest: what the model is, how good, where from (Mitchell et
al. 2019).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from service.bundle import Golden, Manifest

__all__ = ["model_card"]

_EXAMPLES = 6


def model_card(manifest: Manifest, goldens: Sequence[Golden], parity: Sequence[str]) -> str:
    """The card as Markdown."""
    return "\n".join(_lines(manifest, goldens, parity)) + "\n"


def _lines(manifest: Manifest, goldens: Sequence[Golden], parity: Sequence[str]) -> Iterator[str]:
    origin = manifest.provenance
    yield f"# {manifest.name}"
    yield ""
    yield (
        f"A Parley bundle for {manifest.task} from `{manifest.source_language}` to "
        f"`{manifest.target_language}`. This card is generated from `manifest.json`."
    )
    yield ""
    yield "## Quality"
    yield ""
    yield "| metric | value | set | beam | how |"
    yield "|---|---|---|---|---|"
    for quality in manifest.quality:
        yield (
            f"| {quality.metric} | {quality.value:.2f} | {quality.dataset} | {quality.beam} | "
            f"{quality.note}; `{quality.signature}` |"
        )
    yield ""
    yield (
        "Measured text to text through the serving engine, with the decoding defaults of the "
        "manifest."
    )
    yield ""
    yield "## Examples"
    yield ""
    yield "| source | output |"
    yield "|---|---|"
    for golden in [golden for golden in goldens if golden.beam > 1][:_EXAMPLES]:
        yield f"| {_cell(golden.source)} | {_cell(golden.hypotheses[0].text)} |"
    yield ""
    yield "## Model"
    yield ""
    for name, value in manifest.architecture.items():
        yield f"- {name}: {value}"
    yield f"- vocabulary: {manifest.tokenizer.vocabulary_size} ({manifest.tokenizer.kind})"
    yield (
        f"- quantisation: {manifest.quantisation.scheme}"
        + (", the same answer in any batch" if manifest.quantisation.batch_invariant else "")
    )
    yield f"- at most {manifest.limits.max_source_tokens} source tokens in one sentence"
    yield ""
    yield "Export checked against the trained model:"
    yield ""
    for line in parity:
        yield f"- {line}"
    yield ""
    yield "## Origin"
    yield ""
    yield f"- data: {origin.data}"
    yield f"- licence: {origin.licence}"
    if origin.attribution:
        yield f"- attribution: {origin.attribution}"
    yield f"- recipe: {origin.recipe}, sha256 `{origin.recipe_sha256}`, seed {origin.seed}"
    yield f"- trained for {origin.duration_minutes:.0f} minutes, exported {origin.created}"
    yield ""
    yield "## Limits"
    yield ""
    yield (
        "The model knows what its training sentences look like and little else: expect errors in "
        "long, technical or old-fashioned text and in names and numbers that it has not seen, and "
        "read what matters before you rely on it."
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
