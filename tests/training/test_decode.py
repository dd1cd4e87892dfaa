"""Greedy decoding of a whole set is decoding each sentence alone, the slow and obvious way."""

import numpy as np
import pytest
import torch

from service.decoding import DecodeRequest, Engine
from tests.training.tiny import SPECIAL, Ids, architecture, lively_model, padded, some_sources
from training.config import EvaluationConfig
from training.decode import greedy_decode, length_limit
from training.export.stepper import TorchStepper
from training.models import Seq2Seq


@torch.inference_mode()
def naive(model: Seq2Seq, source: Ids, limit: int) -> list[int]:
    encoded = model.encode(*padded([source]))
    state, token = model.initial_state(encoded), SPECIAL.bos
    said: list[int] = []
    while len(said) < limit:
        scores_1V, state, _ = model.step(torch.tensor([token]), state, encoded)
        token = int(scores_1V[0].argmax())
        if token == SPECIAL.eos:
            break
        said.append(token)
    return said


@pytest.fixture(scope="module", params=["lstm none", "gru general", "lstm additive"])
def model(request: pytest.FixtureRequest) -> Seq2Seq:
    cell, attention = request.param.split()
    model = lively_model(architecture(cell=cell, attention=attention))
    with torch.no_grad():
        model.output.bias[SPECIAL.eos] += 2.5  # so that sentences end at different times
    return model


SOURCES = some_sources(30, 12)
LIMITS = [1 + i % 13 for i in range(30)]


def test_each_sentence_gets_what_it_gets_alone(model: Seq2Seq) -> None:
    wanted = [naive(model, source, limit) for source, limit in zip(SOURCES, LIMITS, strict=True)]

    assert wanted == greedy_decode(model, SOURCES, SPECIAL, LIMITS)
    assert len({len(said) for said in wanted}) > 3  # the model is not too simple to show it


@pytest.mark.parametrize("batch", [1, 4, 7, 30])
def test_the_size_of_the_batches_does_not_show(model: Seq2Seq, batch: int) -> None:
    assert greedy_decode(model, SOURCES, SPECIAL, LIMITS) == greedy_decode(
        model, SOURCES, SPECIAL, LIMITS, batch=batch
    )


def test_no_sentence_is_longer_than_its_own_limit(model: Seq2Seq) -> None:
    outputs = greedy_decode(model, SOURCES, SPECIAL, LIMITS)

    assert [] == [said for said, limit in zip(outputs, LIMITS, strict=True) if len(said) > limit]


def test_the_end_of_sentence_is_not_part_of_it(model: Seq2Seq) -> None:
    outputs = greedy_decode(model, SOURCES, SPECIAL, LIMITS)

    assert SPECIAL.eos not in {token for said in outputs for token in said}


def test_the_engine_decodes_the_same(model: Seq2Seq) -> None:
    requests = [
        DecodeRequest(source=tuple(source.tolist()), max_length=limit)
        for source, limit in zip(SOURCES, LIMITS, strict=True)
    ]
    results = Engine(TorchStepper(model, SPECIAL)).decode(requests)

    assert greedy_decode(model, SOURCES, SPECIAL, LIMITS) == [
        list(result.best.tokens) for result in results
    ]


def test_no_sentences_are_decoded_to_none(model: Seq2Seq) -> None:
    assert [] == greedy_decode(model, [], SPECIAL, [])


def test_decoding_draws_no_random_number(model: Seq2Seq) -> None:
    """An evaluation in the middle of a training must not change what comes after it."""
    before = torch.get_rng_state()
    greedy_decode(model, SOURCES[:3], SPECIAL, LIMITS[:3])

    assert np.array_equal(before.numpy(), torch.get_rng_state().numpy())


def test_the_limit_is_the_bundles_rule() -> None:
    config = EvaluationConfig(max_length_ratio=1.5, max_length_offset=3)

    assert [5, 8, 40] == [length_limit(n, config, 40) for n in (1, 3, 100)]
