"""The deployment as its files state it, before any tool renders them."""

from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml


class Base(NamedTuple):
    """deploy/kubernetes/base."""

    directory: Path
    objects: dict[tuple[str, str], dict[str, Any]]
    environment: dict[str, str]

    def __getitem__(self, key: Any) -> Any:
        return self.objects[key]

    @property
    def pod(self) -> dict[str, Any]:
        """The pod template of the Deployment."""
        return self.objects["Deployment", "parley"]["spec"]["template"]

    @property
    def container(self) -> dict[str, Any]:
        """Its only container."""
        (container,) = self.pod["spec"]["containers"]
        return container


@pytest.fixture(scope="session")
def base(repository: Path) -> Base:
    """Every object that kustomization.yaml names, and the content of its ConfigMap."""
    directory = repository / "deploy/kubernetes/base"
    kustomization = yaml.safe_load((directory / "kustomization.yaml").read_text())
    objects = {}
    for name in kustomization["resources"]:
        for item in yaml.safe_load_all((directory / name).read_text()):
            objects[item["kind"], item["metadata"]["name"]] = item
    lines = (directory / "settings.env").read_text().splitlines()
    pairs = [line.partition("=") for line in lines if line and not line.startswith("#")]
    return Base(directory, objects, {name: value for name, _, value in pairs})
