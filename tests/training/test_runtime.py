"""What a run takes from the machine, and what it must not."""

import os
import random

import numpy as np
import pytest
import torch

from training.config import TrainingConfig
from training.runtime import choose_precision, prepare_process, seed_everything


def draws() -> tuple[float, float, float]:
    return random.random(), float(np.random.random()), float(torch.rand(()))


def test_a_seed_decides_every_generator() -> None:
    seed_everything(7)
    first = draws()
    seed_everything(7)

    assert first == draws()


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_precision_that_is_asked_for_is_taken(precision: str) -> None:
    config = TrainingConfig(epochs=1, precision=precision)  # type: ignore[arg-type]  # a value of the parameter

    assert precision == choose_precision(config, torch.device("cpu"))


@pytest.mark.parametrize(("able", "wanted"), [(True, "bf16"), (False, "fp32")])
def test_half_precision_is_taken_where_the_processor_multiplies_it(
    monkeypatch: pytest.MonkeyPatch, able: bool, wanted: str
) -> None:
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: able)

    assert wanted == choose_precision(TrainingConfig(epochs=1), torch.device("cpu"))


def test_a_setting_of_the_user_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "7")
    monkeypatch.setattr("ctypes.CDLL", _no_libc)  # the allocator of the tests stays as it is
    prepare_process()

    assert "7" == os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"]


def _no_libc(name: str) -> None:
    raise OSError(name)
