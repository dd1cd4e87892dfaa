"""Names and places of a bundle: what a model, a version directory and a file may be called."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = [
    "GOLDENS_FILE",
    "MANIFEST_FILE",
    "MAX_VERSION",
    "OPTIONAL_FILES",
    "SHORTLIST_FILE",
    "TEMPORARY_PREFIX",
    "is_file_name",
    "is_language",
    "is_model_name",
    "parse_version",
    "version_directory",
    "versions",
]

MANIFEST_FILE = "manifest.json"
GOLDENS_FILE = "goldens.jsonl"
SHORTLIST_FILE = "shortlist"
OPTIONAL_FILES = frozenset(
    {"README.md", "LICENSE", "NOTICE", "ATTRIBUTION", "ATTRIBUTION.md", SHORTLIST_FILE}
)
TEMPORARY_PREFIX = ".tmp-"

_MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
_VERSION = re.compile(r"[1-9][0-9]{0,17}")
MAX_VERSION = 10**18 - 1
# RFC 5646, section 2.1, without the grandfathered tags: language, script, region, variants,
# extensions, private use.
_LANGUAGE = re.compile(
    r"(?:[a-z]{2,3}(?:-[a-z]{3}){0,3}|[a-z]{4,8})"
    r"(?:-[a-z]{4})?(?:-(?:[a-z]{2}|[0-9]{3}))?"
    r"(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*"
    r"(?:-[0-9a-wy-z](?:-[a-z0-9]{2,8})+)*(?:-x(?:-[a-z0-9]{1,8})+)?"
    r"|x(?:-[a-z0-9]{1,8})+",
    re.IGNORECASE,
)


def is_model_name(name: str) -> bool:
    """Whether ``name`` may name a model: one plain path component, fit for a metric label."""
    return _MODEL_NAME.fullmatch(name) is not None


def is_file_name(name: str) -> bool:
    """Whether ``name`` may name a file of a bundle: one plain path component, not hidden."""
    return _FILE_NAME.fullmatch(name) is not None


def is_language(tag: str) -> bool:
    """Whether ``tag`` is a well-formed BCP-47 language tag ("de", "pt-BR", "zh-Hant", "und")."""
    return _LANGUAGE.fullmatch(tag) is not None and tag.isascii()


def parse_version(directory: str) -> int | None:
    """The version that a directory stands for; None for "latest", "01", ".tmp-3-x" and the like."""
    return int(directory) if directory.isascii() and _VERSION.fullmatch(directory) else None


def version_directory(root: Path, name: str, version: int) -> Path:
    """Where version ``version`` of model ``name`` lives below ``root``."""
    return root / name / str(version)


def versions(root: Path, name: str) -> list[int]:
    """The published versions of a model, oldest first; empty when there is no such model."""
    try:
        entries = list((root / name).iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(v for entry in entries if (v := parse_version(entry.name)) is not None)
