"""`parley inspect`: what a published model says about itself, and whether it is whole."""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.bundle import Manifest

__all__ = ["add_parser"]

_DESCRIPTION = """\
Show the manifest of a bundle (a directory such as exported/MODEL/VERSION) after checking all of
it: every file is there and has the recorded size and SHA-256, graphs, tokenizer and goldens can be
read, nothing is there that should not be. If not, it lists everything wrong and exits with 1."""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `inspect` to the subcommands of `parley`."""
    parser = subparsers.add_parser(
        "inspect",
        help="check a published model and show its manifest",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("path", metavar="PATH", type=Path, help="the version's directory")
    parser.add_argument("--json", action="store_true", help="print JSON: manifest and problems")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Check and show; returns the exit code."""
    from service.bundle import BundleError, open_bundle
    from service.bundle.schema import dump

    try:
        bundle = open_bundle(args.path)
    except BundleError as error:
        if args.json:
            _print_json({"path": str(args.path), "problems": list(error.problems)})
        else:
            print(f"parley inspect: {error}{_hint(args.path)}", file=sys.stderr)
        return 1
    if args.json:
        manifest = dump(bundle.manifest)
        _print_json({"path": str(args.path), "problems": [], "manifest": manifest})
    else:
        print(_summary(bundle.manifest, goldens=len(bundle.goldens)))
    return 0


def _print_json(value: object) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2))


def _hint(path: Path) -> str:
    """Which directory was probably meant, when `path` is a model and not one of its versions."""
    from service.bundle import versions

    published = versions(path.parent, path.name)
    return f"\n  did you mean {path / str(published[-1])}?" if published else ""


def _summary(manifest: "Manifest", goldens: int) -> str:
    facts = [*_model_facts(manifest), *_origin_facts(manifest), ("goldens", str(goldens))]
    facts += [("file", f"{name}, {spec.bytes} bytes") for name, spec in manifest.files.items()]
    facts.append(("verdict", "whole: every file is there, and is what the manifest says"))
    width = max(len(name) for name, _ in facts)
    return "\n".join(f"{name:<{width}}  {value}".rstrip() for name, value in facts)


def _model_facts(manifest: "Manifest") -> Iterator[tuple[str, str]]:
    tokenizer, limits, decoding = manifest.tokenizer, manifest.limits, manifest.decoding
    normalisation = f"{decoding.length_normalisation} {decoding.length_penalty:g}"
    invariant = ", batch-invariant" if manifest.quantisation.batch_invariant else ""
    yield "model", f"{manifest.name}/{manifest.version}"
    yield "task", manifest.task
    yield "languages", f"{manifest.source_language} -> {manifest.target_language}"
    yield (
        "architecture",
        ", ".join(f"{key} {value}" for key, value in manifest.architecture.items()),
    )
    yield "tokenizer", f"{tokenizer.kind}, {tokenizer.vocabulary_size} pieces"
    yield "normalised by", tokenizer.normalisation
    yield "most tokens", f"{limits.max_source_tokens} source, {limits.max_target_tokens} target"
    yield "beam", str(decoding.beam)
    yield "length", f"normalised by {normalisation}, coverage penalty {decoding.coverage_penalty:g}"
    yield "quantisation", manifest.quantisation.scheme + invariant


def _origin_facts(manifest: "Manifest") -> Iterator[tuple[str, str]]:
    for quality in manifest.quality:
        how = f"on {quality.dataset}, beam {quality.beam} ({quality.signature})"
        yield "quality", f"{quality.metric} {quality.value:g} {how}"
        if quality.note:
            yield "", quality.note
    origin = manifest.provenance
    yield "data", origin.data
    yield "licence", origin.licence
    yield "attribution", origin.attribution
    yield "recipe", f"{origin.recipe}, seed {origin.seed}"
    yield "created", f"{origin.created}, in {origin.duration_minutes:g} minutes"
