"""Several models as one bundle: the mean of their probabilities, through the engine that serves."""

import numpy as np
import pytest

from service.decoding import Engine, StepInput
from tests.parity.exports import candidate, eight_bits, requests, some_examples, with_threads
from tests.training.tiny import (
    HYBRIDS,
    SPECIAL,
    VOCABULARY,
    architecture,
    lively_model,
    transformer,
)
from training.export.calibration import calibrate
from training.export.parity import ParityError, check_parity
from training.export.runner import Candidate
from training.export.stepper import TorchStepper
from training.models import Ensemble, Seq2Seq

SOURCES = [(7, 9, 5, SPECIAL.eos), (8, SPECIAL.eos), (4, 4, 6, 9, 10, 12, SPECIAL.eos)]


def members() -> list[Seq2Seq]:
    """Some that have nothing in common but the vocabulary."""
    return [
        lively_model(architecture(cell="lstm", attention="general"), seed=1),
        lively_model(next(iter(HYBRIDS.values())), seed=2),
        lively_model(architecture(cell="gru", attention="none"), seed=3),
        lively_model(transformer(), seed=4),
    ]


@pytest.fixture(scope="module")
def model() -> Ensemble:
    return Ensemble(members())


@pytest.fixture(scope="module")
def exact(model: Ensemble) -> Candidate:
    return candidate(model)


def first_step(stepper: object, top_k: int = VOCABULARY) -> tuple[np.ndarray, np.ndarray | None]:
    """Probabilities by id, and attention, of the first token of each source."""
    stepper.join(SOURCES)  # type: ignore[attr-defined]  # what it opened is a stepper
    rows = np.arange(len(SOURCES))
    output = stepper.step(  # type: ignore[attr-defined]  # what it opened is a stepper
        StepInput(
            tokens_R=np.full(len(SOURCES), SPECIAL.bos),
            sources_R=rows,
            parents_R=None,
            kept_B=None,
            top_k=top_k,
        )
    )
    probs_RV = np.zeros((len(SOURCES), VOCABULARY))
    np.put_along_axis(probs_RV, output.ids_RK, np.exp(output.log_probs_RK), -1)
    return probs_RV, output.attention_RS


def test_the_answer_is_the_mean_of_the_members_probabilities(exact: Candidate) -> None:
    each = [first_step(TorchStepper(member, SPECIAL))[0] for member in members()]

    np.testing.assert_allclose(np.mean(each, 0), first_step(exact.stepper())[0], atol=1e-6)


def test_attention_is_the_mean_of_the_members_that_attend(exact: Candidate) -> None:
    each = [first_step(TorchStepper(member, SPECIAL))[1] for member in members()]
    wanted = np.mean([weights for weights in each if weights is not None], 0)
    found = first_step(exact.stepper())[1]

    assert found is not None
    np.testing.assert_allclose(wanted, found[:, : wanted.shape[1]], atol=1e-6)


def test_whole_decodes_are_those_of_the_models(exact: Candidate, model: Ensemble) -> None:
    report = check_parity(exact, model, requests(12))

    assert (8, 4) == (report.greedy_identical, report.beam_identical)


def test_the_check_sees_a_member_that_is_another(exact: Candidate) -> None:
    *others, last = members()
    other = lively_model(architecture(cell="gru", attention="none"), seed=4)

    check_parity(exact, Ensemble([*others, last]), [])
    with pytest.raises(ParityError):
        check_parity(exact, Ensemble([*others, other]), [])


def test_twice_the_same_model_answers_as_once() -> None:
    one = members()[0]
    asked = requests(9)
    alone, twice = (
        Engine(candidate(model).stepper()).decode(asked) for model in (one, Ensemble([one, one]))
    )

    assert [r.best.tokens for r in alone] == [r.best.tokens for r in twice]
    assert [r.best.score for r in alone] == pytest.approx([r.best.score for r in twice], abs=1e-5)


@pytest.mark.parametrize("bits", [8, 32])
def test_alone_or_in_a_crowd_the_answer_is_the_same_bits(model: Ensemble, bits: int) -> None:
    served = candidate(model, eight_bits(model) if bits == 8 else None)
    asked = requests(12)
    crowd = Engine(with_threads(served, 2).stepper()).decode(asked)
    engine = Engine(served.stepper())
    alone = [engine.decode([request])[0] for request in asked]

    assert [r.hypotheses for r in alone] == [r.hypotheses for r in crowd]


def test_a_probe_is_the_score_that_the_token_has_among_the_best(exact: Candidate) -> None:
    stepper = exact.stepper()
    stepper.join(SOURCES)
    rows = np.arange(len(SOURCES))
    work = StepInput(
        tokens_R=np.full(len(SOURCES), SPECIAL.bos),
        sources_R=rows,
        parents_R=None,
        kept_B=None,
        top_k=VOCABULARY,
        probe_ids_RP=np.tile(np.arange(VOCABULARY), (len(SOURCES), 1)),
    )
    output = stepper.step(work)

    assert output.probe_log_probs_RP is not None
    assert (np.diff(output.log_probs_RK) <= 0).all()
    assert np.array_equal(
        output.log_probs_RK, np.take_along_axis(output.probe_log_probs_RP, output.ids_RK, -1)
    )


def test_each_member_is_calibrated_as_if_it_were_alone(model: Ensemble) -> None:
    together = calibrate(model, some_examples(8), SPECIAL)
    alone = calibrate(members()[2], some_examples(8), SPECIAL)

    assert alone == {
        place.removeprefix("members.2."): seen
        for place, seen in together.items()
        if place.startswith("members.2.")
    }


def test_what_all_members_find_impossible_still_has_a_score() -> None:
    """A probability below the smallest float would be minus infinity, and end every beam."""
    sure = members()[0]
    sure.output.bias.data[5] = 500.0
    stepper = candidate(Ensemble([sure, sure])).stepper()
    stepper.join(SOURCES[:1])
    output = stepper.step(
        StepInput(
            tokens_R=np.array([SPECIAL.bos]),
            sources_R=np.array([0]),
            parents_R=None,
            kept_B=None,
            top_k=VOCABULARY,
        )
    )

    assert np.isfinite(output.log_probs_RK).all()
    assert output.log_probs_RK.min() < -200
