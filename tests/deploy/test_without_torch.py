"""The service, its dependencies and this very environment know no torch."""

import importlib.metadata
import importlib.util
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

TRAINING_ONLY = ("torch", "onnx", "safetensors", "sacrebleu", "tensorboard")


@pytest.mark.parametrize("module", TRAINING_ONLY)
def test_the_service_suite_runs_where_training_libraries_are_absent(module: str) -> None:
    """`make test` runs this suite in .venv; tests/training and tests/parity run in .venv-train."""
    assert importlib.util.find_spec(module) is None, f"{module} is installed; use `make test`"


def test_nothing_that_the_service_installs_brings_torch_along(repository: Path) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    waiting = list(project["dependencies"])
    seen: set[str] = set()
    while waiting:
        requirement = Requirement(waiting.pop())
        wanted = requirement.marker is None or any(
            requirement.marker.evaluate({"extra": extra}) for extra in {"", *requirement.extras}
        )
        if wanted and requirement.name.lower() not in seen:
            seen.add(requirement.name.lower())
            waiting.extend(importlib.metadata.requires(requirement.name) or [])

    assert {"numpy", "onnxruntime", "grpcio"} <= seen
    assert not seen & set(TRAINING_ONLY)


def test_torch_is_bounded_on_both_sides(repository: Path) -> None:
    """An open range would take the newest build, with gigabytes of CUDA."""
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    (torch,) = [r for r in project["optional-dependencies"]["train"] if r.startswith("torch")]

    assert {">=", "<"} == {specifier.operator for specifier in Requirement(torch).specifier}
