"""Noise comes little by little: none in the first epoch, all of it in the end."""

from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.training.running import Runs
from tests.training.tiny import VOCABULARY
from training.config import ModelConfig
from training.curriculum import strength
from training.models import make_model

NOISE = ("dropout", "output_dropout", "word_dropout", "source_word_dropout")
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "recurrent": {},
    "hybrid": {"encoder": "transformer", "decoder": "hybrid", "embedding": 16},
    "transformer": {"encoder": "transformer", "decoder": "transformer", "embedding": 32},
    "next-symbol": {"encoder": "shared", "decoder": "next-symbol"},
}


# --- how much ------------------------------------------------------------------------------------


@given(epochs=st.integers(1, 50))
def test_it_grows_evenly_from_nothing_to_all(epochs: int) -> None:
    course = [strength(epoch, epochs) for epoch in range(epochs + 3)]

    assert (0.0, 1.0, 1.0, 1.0) == (course[0], *course[-3:])
    assert [pytest.approx(1 / epochs)] * epochs == [
        later - earlier for earlier, later in pairwise(course[: epochs + 1])
    ]


@given(epoch=st.integers(0, 50))
def test_without_a_curriculum_it_is_all_there_from_the_beginning(epoch: int) -> None:
    assert strength(epoch, 0) == 1.0


# --- of what -------------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=ARCHITECTURES)
def test_every_dropout_of_a_model_follows(architecture: dict[str, Any]) -> None:
    config = ModelConfig(**architecture, dropout=0.5, output_dropout=0.5)
    model = make_model(config, VOCABULARY, seed=1).train()
    source_BS, target_BT = torch.full((2, 5), 9), torch.full((2, 4), 7)
    lengths_B = torch.tensor([5, 5])

    def differ() -> bool:
        one, other = (model(source_BS, lengths_B, target_BT) for _ in range(2))
        return not torch.equal(one, other)

    model.regularise(0.0)
    assert not differ()
    model.regularise(0.5)
    assert differ()


def test_the_first_epoch_is_one_without_noise(runs: Runs) -> None:
    runs.train("calm", training={"epochs": 1}, model=dict.fromkeys(NOISE, 0.0))
    runs.train("growing", training={"epochs": 1, "curriculum_epochs": 2})

    calm, growing = (runs.weights(name, "last/model") for name in ("calm", "growing"))
    assert all(torch.equal(calm[key], growing[key]) for key in calm)


def test_later_epochs_have_some(runs: Runs) -> None:
    runs.train("calm", training={"epochs": 2}, model=dict.fromkeys(NOISE, 0.0))
    runs.train("growing", training={"epochs": 2, "curriculum_epochs": 2})

    calm, growing = (runs.weights(name, "last/model") for name in ("calm", "growing"))
    assert not all(torch.equal(calm[key], growing[key]) for key in calm)
