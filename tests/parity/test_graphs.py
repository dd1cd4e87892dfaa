"""The exported graphs compute what the model computes, whatever its architecture and the shapes.

Shapes: B sentences, S source positions, R rows.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch

from service.decoding import Engine, StepInput, StepOutput
from tests.parity.exports import candidate, requests
from tests.training.tiny import (
    DEEPER,
    HYBRIDS,
    NEXT_SYMBOL,
    SPECIAL,
    TRANSFORMERS,
    VOCABULARY,
    architecture,
    lively_model,
    some_sources,
)
from training.export.parity import check_parity
from training.export.stepper import TorchStepper
from training.models import Seq2Seq

ARCHITECTURES = (
    HYBRIDS
    | DEEPER
    | TRANSFORMERS
    | {
        f"{cell} {attention} {'both' if bidirectional else 'one'} {layers}": architecture(
            cell=cell,
            attention=attention,
            bidirectional=bidirectional,
            encoder_layers=3 - layers,
            decoder_layers=layers,
        )
        for cell in ("lstm", "gru")
        for attention in ("none", "dot", "general", "additive")
        for bidirectional in (True, False)
        for layers in (1, 2)
    }
)
ARCHITECTURES |= NEXT_SYMBOL
ARCHITECTURES |= {
    "rnn general": architecture(cell="rnn", attention="general"),
    "rnn none one": architecture(cell="rnn", attention="none", bidirectional=False),
}
SHAPES = [(1, 1), (1, 8), (2, 3), (5, 9), (9, 17)]


@pytest.fixture(scope="module", params=ARCHITECTURES)
def model(request: pytest.FixtureRequest) -> Seq2Seq:
    return lively_model(ARCHITECTURES[request.param])


def same(ours: StepOutput, theirs: StepOutput) -> None:
    np.testing.assert_allclose(ours.log_probs_RK, theirs.log_probs_RK, atol=2e-5)
    if theirs.attention_RS is None:
        assert ours.attention_RS is None
    else:
        assert ours.attention_RS is not None
        positions = theirs.attention_RS.shape[1]
        np.testing.assert_allclose(ours.attention_RS[:, :positions], theirs.attention_RS, atol=2e-5)
        assert 0 == np.abs(ours.attention_RS[:, positions:]).max(initial=0)


def test_values_agree_at_every_shape_and_over_steps(model: Seq2Seq) -> None:
    ours, theirs = candidate(model).stepper(), TorchStepper(model, SPECIAL)
    for rows, positions in SHAPES:
        sources = [tuple(source.tolist()) for source in some_sources(rows, positions)]
        for stepper in (ours, theirs):
            stepper.reset()
            stepper.join(sources)
        tokens_R = np.full(rows, SPECIAL.bos)
        for _ in range(4):
            work = StepInput(
                tokens_R=tokens_R,
                sources_R=np.arange(rows),
                parents_R=None,
                kept_B=None,
                top_k=VOCABULARY,
            )
            wanted = theirs.step(work)
            same(ours.step(work), wanted)
            tokens_R = wanted.ids_RK[:, 0].copy()


def test_rows_of_one_sentence_share_its_memory(model: Seq2Seq) -> None:
    """A beam: several rows of a sentence, reordered, one sentence leaving, another joining."""
    steppers = (candidate(model).stepper(), TorchStepper(model, SPECIAL))
    first, second, third = (tuple(source.tolist()) for source in some_sources(3, 7))
    works = [
        StepInput(
            tokens_R=np.array([SPECIAL.bos] * 2),
            sources_R=np.array([0, 1]),
            parents_R=None,
            kept_B=None,
            top_k=5,
        ),
        StepInput(
            tokens_R=np.array([5, 6, 7, 8, 9]),
            sources_R=np.array([0, 0, 1, 1, 1]),
            parents_R=np.array([0, 0, 1, 1, 1]),
            kept_B=None,
            top_k=5,
        ),
        StepInput(
            tokens_R=np.array([9, 10, 11, SPECIAL.bos]),
            sources_R=np.array([0, 0, 0, 1]),
            parents_R=np.array([4, 2, 2, 5]),
            kept_B=np.array([1, 2]),
            top_k=5,
        ),
    ]
    for stepper in steppers:
        stepper.join([first, second])
    for number, work in enumerate(works):
        if number == 2:
            for stepper in steppers:
                stepper.join([third])
        ours, theirs = (stepper.step(work) for stepper in steppers)
        same(ours, theirs)


def test_whole_decodes_agree_token_by_token(model: Seq2Seq) -> None:
    asked = requests(9)
    ours = Engine(candidate(model).stepper()).decode(asked)
    theirs = Engine(TorchStepper(model, SPECIAL)).decode(asked)

    assert [[h.tokens for h in result.hypotheses] for result in theirs] == [
        [h.tokens for h in result.hypotheses] for result in ours
    ]


def test_forced_beginnings_agree_with_their_probabilities(model: Seq2Seq) -> None:
    asked = [replace(each, target_prefix=each.source[:2]) for each in requests(9)]
    ours = Engine(candidate(model).stepper()).decode(asked)
    theirs = Engine(TorchStepper(model, SPECIAL)).decode(asked)

    for request, here, there in zip(asked, ours, theirs, strict=True):
        assert request.target_prefix == here.best.tokens[: len(request.target_prefix)]
        assert there.best.tokens == here.best.tokens
        assert there.best.token_log_probs == pytest.approx(here.best.token_log_probs, abs=1e-4)


def test_the_exporters_own_check_agrees(model: Seq2Seq) -> None:
    report = check_parity(candidate(model), model, requests(6))

    assert (4, 4, 2, 2, 0) == (
        report.greedy_decodes,
        report.greedy_identical,
        report.beam_decodes,
        report.beam_identical,
        report.ties,
    )
    assert report.largest_difference < 1e-4


@pytest.mark.parametrize("tied", [True, False])
def test_embeddings_that_are_tied_or_not_are_exported_as_they_are(tied: bool) -> None:
    model = lively_model(architecture(tied_embeddings=tied))

    assert check_parity(candidate(model), model, requests(3)).largest_difference < 1e-4


def test_dropout_and_training_mode_leave_no_trace_in_an_export() -> None:
    model = lively_model(architecture(dropout=0.5, output_dropout=0.5))
    files = candidate(model.train()).graphs

    assert files == candidate(model.eval()).graphs


def test_exporting_twice_gives_the_same_bytes() -> None:
    model = lively_model(architecture())

    assert candidate(model).graphs == candidate(model).graphs


def test_exporting_leaves_the_model_as_it_was() -> None:
    model = lively_model(architecture())
    before = {name: value.clone() for name, value in model.state_dict().items()}
    candidate(model)

    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
