"""The documents promise only what exists: targets, flags, variables, files, names."""

import ast
import importlib
import importlib.util
import re
import subprocess

import pytest

from service.settings import options
from tests.docs.reading import DOCUMENTS, ROOT, Block, blocks, commands, unknown_flags


def test_every_make_target_and_variable_shown_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][a-z-]*)(?: [a-z][a-z-]*)*:(?!=)", makefile, re.MULTILINE))
    variables = set(re.findall(r"^([A-Z_]+) *\?=", makefile, re.MULTILINE))

    for document, words in commands("make"):
        for word in words:
            name, assigned, _ = word.partition("=")
            assert name in (variables if assigned else targets), f"{document}: make {word}"


def test_make_help_names_every_target_that_a_document_shows() -> None:
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)

    for name in ("serve", "test", "check", "proto", "bench", "train-env", "clean"):
        assert f"make {name} " in done.stdout


def test_every_flag_shown_exists() -> None:
    """Those of parley-train are looked at in tests/training, where it can be imported."""
    assert [] == unknown_flags("parley")


def test_every_server_flag_in_the_readme_table_exists() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`--[^|]*) \|", text, re.MULTILINE)
    shown = {flag for row in rows for flag in re.findall(r"`(--[a-z-]+)`", row)}

    assert shown
    assert shown <= {option.flag for option in options()}


def test_every_variable_named_exists() -> None:
    known = {option.variable for option in options()}

    for document in DOCUMENTS:
        text = (ROOT / document).read_text(encoding="utf-8")
        assert set(re.findall(r"\bPARLEY_[A-Z_]+\b", text)) <= known, document


def test_every_metric_named_exists() -> None:
    package = (ROOT / "service/metrics").glob("*.py")
    declared = "".join(each.read_text(encoding="utf-8") for each in package)

    for document in DOCUMENTS:
        text = (ROOT / document).read_text(encoding="utf-8")
        for name in re.findall(r"`((?:parley|grpc_server)_[a-z_]+)`", text):
            assert f'"{name}"' in declared, f"{document}: {name}"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_leads_somewhere(document: str) -> None:
    here = (ROOT / document).parent
    text = (ROOT / document).read_text(encoding="utf-8")

    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if "://" not in target:
            assert (here / target).exists(), target


def test_every_recipe_shown_exists() -> None:
    for document in DOCUMENTS:
        for recipe in re.findall(
            r"\btraining/recipes/[\w.-]+\.toml", (ROOT / document).read_text(encoding="utf-8")
        ):
            assert (ROOT / recipe).is_file(), f"{document}: {recipe}"


@pytest.mark.parametrize("block", list(blocks("python")), ids=lambda block: block.document)
def test_python_shown_imports_what_exists(block: Block) -> None:
    for node in ast.walk(ast.parse(block.text)):
        if isinstance(node, ast.ImportFrom):
            assert node.module is not None
            module = importlib.import_module(node.module)
            for alias in node.names:
                assert hasattr(module, alias.name), f"{node.module}.{alias.name}"
        elif isinstance(node, ast.Import):
            for alias in node.names:
                assert importlib.util.find_spec(alias.name) is not None, alias.name
