"""Real bundles for tests, quick and without torch or onnx.

All of them are the frozen bundle "reverse": a small ONNX model that spells its source backwards
(``"abc"`` -> ``"cba"``), with a proper distribution over 80 characters at every step. It knows
a-z A-Z 0-9 ``.,?!'-äöüÄÖÜß`` and the space; any other character comes back as U+FFFD. Its defaults
are beam 4 and average length normalisation, and it takes 64 source tokens, the end included.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

from service.bundle import MANIFEST_FILE, Golden, Manifest, dump_goldens, load_manifest, open_bundle
from service.bundle.writer import write_bundle

__all__ = [
    "FROZEN",
    "FROZEN_CACHES",
    "WRONG_TEXT",
    "bundle_files",
    "flip_byte",
    "publish",
    "publish_with_wrong_goldens",
    "reversed_text",
    "truncate",
]

_BUNDLES = Path(__file__).resolve().parent.parent / "fixtures" / "bundles"
FROZEN = _BUNDLES / "format-1" / "reverse" / "1"
# The same task, by a model whose states grow.
FROZEN_CACHES = _BUNDLES / "format-1-caches" / "recall" / "1"
WRONG_TEXT = "never"


def reversed_text(text: str) -> str:
    """What the model makes of one sentence of characters that it knows, greedily or by beam."""
    return text[::-1]


def bundle_files(path: Path = FROZEN) -> dict[str, bytes]:
    """The files of a bundle but its manifest: what ``write_bundle`` takes."""
    return {file.name: file.read_bytes() for file in path.iterdir() if file.name != MANIFEST_FILE}


def publish(
    root: Path,
    name: str = "reverse",
    version: int = 1,
    *,
    change: Callable[[Manifest], Manifest] = lambda manifest: manifest,
    files: Mapping[str, bytes] | None = None,
) -> Path:
    """Publish the model as ``root/name/version``.

    Args:
        root: the directory of models.
        name: of the model.
        version: which must not exist yet.
        change: makes another manifest of the frozen one (other languages, limits, defaults...).
        files: put in place of, or beside, the frozen ones.
    """
    manifest = dataclasses.replace(load_manifest(FROZEN), name=name, version=version)
    return write_bundle(root, change(manifest), {**bundle_files(), **(files or {})})


def publish_with_wrong_goldens(root: Path, name: str = "reverse", version: int = 1) -> Path:
    """Publish a bundle that is sound in itself, whose model does not answer as its goldens say."""
    goldens = [_spoilt(golden) for golden in open_bundle(FROZEN).goldens]
    return publish(root, name, version, files={"goldens.jsonl": dump_goldens(goldens)})


def _spoilt(golden: Golden) -> Golden:
    tokenizer = open_bundle(FROZEN).tokenizer
    wrong = dataclasses.replace(
        golden.hypotheses[0], text=WRONG_TEXT, tokens=tuple(tokenizer.encode(WRONG_TEXT))
    )
    return dataclasses.replace(golden, hypotheses=(wrong, *golden.hypotheses[1:]))


def flip_byte(file: Path, place: int = -1) -> None:
    """Tamper with a file: change one byte, leave its size."""
    data = bytearray(file.read_bytes())
    data[place] ^= 0xFF
    file.write_bytes(data)


def truncate(file: Path, keep: int = 100) -> None:
    """Cut a file short, as an interrupted copy does."""
    file.write_bytes(file.read_bytes()[:keep])
