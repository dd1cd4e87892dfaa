"""One server for all tests that leave it as they found it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.bundles import publish
from tests.system.server import Server, running


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A directory of models with version 1 of "reverse"."""
    root = tmp_path / "models"
    publish(root)
    return root


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A ready server with one model; for tests that change nothing."""
    directory = tmp_path_factory.mktemp("shared")
    publish(directory / "models")
    with running(directory, directory / "models", max_text_chars=5000, max_contents=64) as server:
        yield server.wait_until_ready()
