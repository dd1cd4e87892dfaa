"""The frozen bundle of format 1 whose states grow: it opens for ever, and keeps the contract.

The oracle is ``tests.fixtures.recall_twin``, which computes everything anew from a row's tokens and
knows neither caches nor ages.
"""

import random
from typing import Any

import numpy as np
import pytest

from service.bundle import open_bundle
from service.decoding import DecodeRequest, DecodeResult, Engine, EngineLimits, StepInput
from service.decoding.session import OnnxStepper
from tests.fixtures import recall_twin
from tests.fixtures import reverse_twin as twin
from tests.support.bundles import FROZEN_CACHES

BUNDLE = open_bundle(FROZEN_CACHES)
EOS, BOS = BUNDLE.manifest.special_ids.eos, BUNDLE.manifest.special_ids.bos
EVERYTHING = BUNDLE.manifest.tokenizer.vocabulary_size
TEXTS = ["abc", "Hallo Welt!", "", "Wo ist der Bahnhof?", "x", "a-b-c-d", "Grüße aus Köln, 1995."]


def stepper(threads: int = 1) -> OnnxStepper:
    return OnnxStepper.from_bundle(BUNDLE, threads)


def source(text: str) -> tuple[int, ...]:
    return (*BUNDLE.tokenizer.encode(text), EOS)


@pytest.mark.parametrize("text", TEXTS)
def test_every_step_has_the_probabilities_of_the_numpy_twin(text: str) -> None:
    """Up to more entries than there was room for at first."""
    model, onnx = recall_twin.Recalling(twin.make_weights()), stepper()
    onnx.join([source(text)])
    row, tokens_R = model.start(source(text)), np.array([BOS])
    for _ in range(20):
        work = StepInput(
            tokens_R=tokens_R,
            sources_R=np.array([0]),
            parents_R=None,
            kept_B=None,
            top_k=EVERYTHING,
        )
        output = onnx.step(work)
        expected_V, after = model.step(source(text), row)
        tokens_R = output.ids_RK[:, 0].copy()
        row = twin.Row(
            (*row.tokens, int(tokens_R[0])), 0, after.cursor, after.trace_D, after.attended_S
        )

        np.testing.assert_allclose(output.log_probs_RK[0], expected_V[output.ids_RK[0]], atol=5e-4)


def crowd() -> list[DecodeRequest]:
    """Requests of every width, length and end."""
    chance = random.Random(3)
    return [
        DecodeRequest(
            source=source(text),
            beam=(beam := chance.choice([1, 1, 2, 4, 7])),
            n_best=chance.randint(1, beam),
            length_normalisation=chance.choice(["none", "average", "gnmt"]),
            max_length=chance.choice([2, 9, 17, 40]),
            min_length=chance.choice([0, 2]),
        )
        for text in TEXTS * 4
    ]


def said(results: list[DecodeResult]) -> list[Any]:
    return [result.hypotheses for result in results]


@pytest.fixture(scope="module")
def alone() -> list[Any]:
    deserted = Engine(stepper())
    return said([deserted.decode([request])[0] for request in crowd()])


@pytest.mark.parametrize("rows", [7, 30, 320])
@pytest.mark.parametrize("threads", [1, 2])
def test_alone_and_in_a_crowd_of_all_ages_the_answer_is_the_same_bits(
    alone: list[Any], rows: int, threads: int
) -> None:
    engine = Engine(stepper(threads), EngineLimits(max_rows=rows))

    assert alone == said(engine.decode(crowd()))


def test_cancelled_neighbours_and_late_arrivals_change_no_bit(alone: list[Any]) -> None:
    chance = random.Random(8)
    engine = Engine(stepper(), EngineLimits(max_rows=24))
    engine.start()
    wanted = [
        (engine.submit(request), answer) for request, answer in zip(crowd(), alone, strict=True)
    ]
    for request in crowd() * 2:
        neighbour = engine.submit(request)
        if chance.random() < 0.7:
            neighbour.cancel()
    got = [future.result().hypotheses for future, _ in wanted]
    engine.stop(drain_seconds=60)

    assert [answer for _, answer in wanted] == got


def test_the_goldens_are_what_the_twin_answers() -> None:
    model = recall_twin.Recalling(twin.make_weights())
    for golden in BUNDLE.goldens:
        search = twin.Search(
            golden.beam,
            golden.length_normalisation,
            golden.length_penalty,
            golden.coverage_penalty,
            golden.max_length,
        )
        ids = source(golden.source)
        rows = model.greedy(ids, search) if golden.beam == 1 else model.beam(ids, search)
        for expected, row in zip(golden.hypotheses, rows, strict=False):
            assert expected.tokens == row.tokens
            assert expected.score == pytest.approx(row.score, abs=1e-6)
