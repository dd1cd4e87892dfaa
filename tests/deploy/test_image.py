"""deploy/Dockerfile: small, not root, no torch, and settings that the server knows."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from service import __version__
from service.settings import read_settings


class Instruction(NamedTuple):
    name: str
    arguments: str


@pytest.fixture(scope="module")
def stages(repository: Path) -> list[list[Instruction]]:
    """The instructions of each stage, in order."""
    text = (repository / "deploy/Dockerfile").read_text()
    text = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE)
    stages: list[list[Instruction]] = []
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        if line.strip():
            name, _, arguments = line.strip().partition(" ")
            if name == "FROM":
                stages.append([])
            if stages:
                stages[-1].append(Instruction(name, arguments))
    return stages


@pytest.fixture(scope="module")
def final(stages: list[list[Instruction]]) -> dict[str, list[str]]:
    """The stage that is shipped, as instruction -> arguments."""
    result: dict[str, list[str]] = {}
    for name, arguments in stages[-1]:
        result.setdefault(name, []).append(arguments)
    return result


@pytest.fixture(scope="module")
def environment(final: dict[str, list[str]]) -> dict[str, str]:
    pairs = [word.partition("=") for line in final["ENV"] for word in shlex.split(line)]
    return {name: value for name, _, value in pairs}


def test_hadolint_has_nothing_to_say(repository: Path) -> None:
    beside = Path(sys.executable).with_name("hadolint")
    hadolint = str(beside) if beside.exists() else shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("hadolint is not installed")

    done = subprocess.run(
        [hadolint, str(repository / "deploy/Dockerfile")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (0, "") == (done.returncode, done.stdout + done.stderr)


def test_it_is_built_in_stages(stages: list[list[Instruction]]) -> None:
    assert len(stages) == 2


def test_the_user_is_a_number_and_not_root(final: dict[str, list[str]]) -> None:
    """Kubernetes refuses runAsNonRoot for a user that it knows by name only."""
    (user,) = final["USER"]

    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)


def test_the_user_is_the_one_that_kubernetes_runs(
    final: dict[str, list[str]], repository: Path
) -> None:
    deployment = yaml.safe_load((repository / "deploy/kubernetes/base/deployment.yaml").read_text())
    context = deployment["spec"]["template"]["spec"]["securityContext"]

    assert final["USER"] == [f"{context['runAsUser']}:{context['runAsGroup']}"]


def test_the_server_is_process_one(final: dict[str, list[str]]) -> None:
    """A shell in between would keep SIGTERM, and with it the drain, to itself."""
    assert (['["parley"]'], ['["serve"]']) == (final["ENTRYPOINT"], final["CMD"])


def test_every_setting_is_one_that_the_server_knows(environment: dict[str, str]) -> None:
    settings = read_settings({}, {k: v for k, v in environment.items() if k.startswith("PARLEY_")})

    assert settings.listen.host == "0.0.0.0"


def test_the_exposed_ports_are_the_settings_ports(
    final: dict[str, list[str]], environment: dict[str, str]
) -> None:
    settings = read_settings({}, {k: v for k, v in environment.items() if k.startswith("PARLEY_")})

    assert settings.http is not None
    assert final["EXPOSE"] == [f"{settings.listen.port} {settings.http.port}"]


def test_the_models_are_where_the_server_looks(
    final: dict[str, list[str]], environment: dict[str, str]
) -> None:
    assert f"exported {environment['PARLEY_MODELS']}" in final["COPY"]


def test_nothing_but_the_service_and_its_models_is_sent_to_the_builder(repository: Path) -> None:
    lines = (repository / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]

    assert rules[0] == "*"
    assert {"!service", "!exported", "!pyproject.toml", "!README.md", "!LICENSE", "!NOTICE"} == {
        rule for rule in rules if rule.startswith("!")
    }


def test_the_versions_agree(repository: Path) -> None:
    base = repository / "deploy/kubernetes/base/kustomization.yaml"
    kustomization = yaml.safe_load(base.read_text())
    (image,) = kustomization["images"]
    (labels,) = kustomization["labels"]
    dockerfile = (repository / "deploy/Dockerfile").read_text()

    assert __version__ == image["newTag"]
    assert __version__ == labels["pairs"]["app.kubernetes.io/version"]
    assert f"-t parley:{__version__} " in dockerfile
