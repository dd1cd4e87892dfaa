"""What every test may rely on."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples in every run: a failure can be repeated, and two cores decide nothing.
settings.register_profile("parley", derandomize=True, deadline=None, max_examples=50)
settings.load_profile("parley")


@pytest.fixture(scope="session")
def repository() -> Path:
    """The top of the working tree."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def _no_inherited_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A PARLEY_* variable of the developer's shell changes no test."""
    for name in [name for name in os.environ if name.startswith("PARLEY_")]:
        monkeypatch.delenv(name)
