"""What the tests of training share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.training.running import Runs
from tests.training.tiny import Trained, train_shouting


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Models this small are slower on several threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def _on_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bit for bit is a promise of the processor; a GPU that happens to be there changes no test."""
    monkeypatch.setattr("training.trainer.choose_device", lambda: torch.device("cpu"))


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A small model that has learnt to write words in capitals."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.trainer.choose_device", lambda: torch.device("cpu"))
        return train_shouting(tmp_path_factory.getbasetemp() / "shouting")


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path)
