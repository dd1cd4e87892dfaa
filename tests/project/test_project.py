"""What the project as a whole promises to those who install it."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from service import __version__


def modules_after(statement: str, repository: Path) -> set[str]:
    """The modules that a fresh interpreter has loaded after a statement."""
    done = subprocess.run(
        [sys.executable, "-c", f"{statement}\nimport sys\nprint(*sys.modules)"],
        cwd=repository,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_a_client_loads_nothing_of_the_server(repository: Path) -> None:
    loaded = modules_after("import service.client", repository)

    assert not loaded & {"onnxruntime", "prometheus_client", "sentencepiece", "service.decoding"}


def test_asking_for_help_is_quick(repository: Path) -> None:
    """The heavy libraries are imported by the command that needs them."""
    loaded = modules_after("import service.cli", repository)

    assert not loaded & {"onnxruntime", "sentencepiece", "numpy"}


def test_proto_is_not_a_package_of_ours(repository: Path) -> None:
    """`import proto` means another library, proto-plus."""
    assert [] == list((repository / "proto").rglob("__init__.py"))


@pytest.mark.parametrize("name", ["LICENSE", "NOTICE", "CHANGELOG.md", "CONTRIBUTING.md"])
def test_a_document_that_users_look_for_is_there(repository: Path, name: str) -> None:
    assert (repository / name).stat().st_size > 0


def test_the_changelog_knows_this_version(repository: Path) -> None:
    assert f"\n## {__version__}\n" in (repository / "CHANGELOG.md").read_text()


def test_every_exception_from_a_rule_has_its_reason_beside_it(repository: Path) -> None:
    """In pyproject.toml each ignored rule is followed by a comment."""
    text = (repository / "pyproject.toml").read_text()
    lint = tomllib.loads(text)["tool"]["ruff"]["lint"]
    per_file = [rule for rules in lint["per-file-ignores"].values() for rule in rules]

    for rule in [*lint["ignore"], *per_file]:
        lines = [line for line in text.splitlines() if line.lstrip().startswith(f'"{rule}",')]
        inline = [line for line in text.splitlines() if f'["{rule}"]' in line]
        assert all("# " in line for line in lines or inline), rule
        assert lines or inline, rule


def test_the_readme_starts_with_two_commands(repository: Path) -> None:
    readme = (repository / "README.md").read_text()

    assert readme.index("```sh\nmake serve\n```") < readme.index("```sh\nmake test\n```")
