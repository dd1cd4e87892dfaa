"""A shortlist takes tokens away and changes nothing else.

Legend: R rows, K candidates, V vocabulary.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest

from service.bundle import Shortlist
from service.decoding import DecodeRequest, Engine, Sampling, StepInput, StepOutput
from service.decoding.session import OnnxStepper
from tests.parity.exports import candidate, eight_bits, requests, some_shortlist
from tests.training.tiny import SPECIAL, VOCABULARY, hybrid, lively_model, some_sources
from training.export.arithmetic import Float32
from training.export.graphs import export_graphs
from training.export.runner import Candidate
from training.models import Ensemble

EVERYTHING = Shortlist(
    always_A=np.setdiff1d(np.arange(VOCABULARY), [SPECIAL.pad]),
    offsets=np.zeros(VOCABULARY + 1, np.int64),
    ids=np.empty(0, np.int64),
)


def exported(shortlist: Shortlist | None, members: int = 1) -> Candidate:
    models = [lively_model(hybrid(), seed=seed) for seed in range(members)]
    model = Ensemble(models) if members > 1 else models[0]
    return candidate(model, eight_bits(model), shortlist=shortlist)


@pytest.fixture(scope="module", params=[1, 2], ids=["one model", "two models"])
def members(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture(scope="module")
def shortlisted(members: int) -> Candidate:
    return exported(some_shortlist(), members)


def candidates(source: Sequence[int]) -> set[int]:
    return set(np.flatnonzero(some_shortlist().chosen([source])[0]).tolist())


def first_step(
    stepper: OnnxStepper, unabridged: list[bool], top_k: int = VOCABULARY, *, attend: bool = True
) -> tuple[StepOutput, list[tuple[int, ...]]]:
    """One step of sources of all lengths, a row each."""
    sources = [tuple(source.tolist()) for source in some_sources(len(unabridged), 9)]
    stepper.reset()
    stepper.join(sources, unabridged=unabridged)
    rows = np.arange(len(sources))
    work = StepInput(
        tokens_R=np.full(len(rows), SPECIAL.bos),
        sources_R=rows,
        parents_R=None,
        kept_B=None,
        top_k=top_k,
        attend=attend,
    )
    return stepper.step(work), sources


def over_vocabulary(output: StepOutput, row: int) -> np.ndarray:
    """Log-probabilities by id; minus infinity where there is none."""
    found_V = np.full(VOCABULARY, -np.inf)
    finite_K = np.isfinite(output.log_probs_RK[row])
    found_V[output.ids_RK[row][finite_K]] = output.log_probs_RK[row][finite_K]
    return found_V


def test_a_rows_distribution_is_the_whole_one_restricted_to_its_candidates() -> None:
    """Of one model; those of an ensemble are each restricted before the mean is taken."""
    stepper = exported(some_shortlist()).stepper()
    whole, sources = first_step(stepper, [True] * 6)
    short, _ = first_step(stepper, [False] * 6)

    for row, source in enumerate(sources):
        wanted_V = over_vocabulary(whole, row)
        others = sorted(set(range(VOCABULARY)) - candidates(source))
        wanted_V[others] = -np.inf
        wanted_V -= np.log(np.exp(wanted_V).sum())
        np.testing.assert_allclose(over_vocabulary(short, row), wanted_V, atol=1e-5)


def test_whole_and_short_rows_stand_side_by_side(shortlisted: Candidate) -> None:
    stepper = shortlisted.stepper()
    whole, _ = first_step(stepper, [True] * 6)
    short, _ = first_step(stepper, [False] * 6)
    mixed, _ = first_step(stepper, [row in {1, 2, 5} for row in range(6)])

    for row in range(6):
        wanted = whole if row in {1, 2, 5} else short
        assert (over_vocabulary(wanted, row) == over_vocabulary(mixed, row)).all()


def test_short_rows_by_themselves_are_what_they_are_in_order(shortlisted: Candidate) -> None:
    stepper = shortlisted.stepper()
    in_order, _ = first_step(stepper, [False] * 6, top_k=5)
    by_themselves, _ = first_step(stepper, [False] * 6, top_k=5, attend=False)

    assert by_themselves.attention_RS is None
    assert (in_order.log_probs_RK == by_themselves.log_probs_RK).all()
    assert (in_order.ids_RK == by_themselves.ids_RK).all()


def test_whole_rows_are_what_they_are_without_a_shortlist(
    shortlisted: Candidate, members: int
) -> None:
    without, _ = first_step(exported(None, members).stepper(), [False] * 6)
    whole, _ = first_step(shortlisted.stepper(), [True] * 6)

    assert (without.log_probs_RK == whole.log_probs_RK).all()
    assert (without.ids_RK == whole.ids_RK).all()


def test_a_shortlist_of_everything_says_what_no_shortlist_says(members: int) -> None:
    asked = requests(9)
    without = Engine(exported(None, members).stepper()).decode(asked)
    everything = Engine(exported(EVERYTHING, members).stepper()).decode(asked)

    assert [[h.tokens for h in each.hypotheses] for each in without] == [
        [h.tokens for h in each.hypotheses] for each in everything
    ]


def test_nothing_is_said_that_is_no_candidate(shortlisted: Candidate) -> None:
    for request, result in zip(
        asked := requests(12), Engine(shortlisted.stepper()).decode(asked), strict=True
    ):
        allowed = candidates(request.source)
        assert all(allowed.issuperset(h.tokens) for h in result.hypotheses)


@pytest.mark.parametrize(
    "wish",
    [
        {"whole_vocabulary": True},
        {"target_prefix": (5, 6)},
        {"forbidden_phrases": ()} | {"no_repeat_ngram": 3},
        {"repetition_penalty": 1.1},
        {"beam": 1, "n_best": 1, "sampling": Sampling(seed=3)},
        {"beam": 1, "n_best": 3, "alternatives": True},
        {"required_phrases": ((5,),)},
    ],
    ids=max,
)
def test_who_asks_for_more_than_a_plain_search_gets_the_whole_vocabulary(
    shortlisted: Candidate, members: int, wish: dict
) -> None:
    plain = DecodeRequest(
        source=tuple(some_sources(1, 7)[0].tolist()), beam=4, n_best=1, max_length=12
    )
    wished = dataclasses.replace(plain, **wish)
    company = [wished, plain, plain]

    assert (
        Engine(exported(None, members).stepper()).decode([wished])[0].hypotheses
        == Engine(shortlisted.stepper()).decode(company)[0].hypotheses
    )


def test_more_is_asked_for_than_there_are_candidates(shortlisted: Candidate) -> None:
    """A wide beam of a source with few candidates: the rest is impossible, not anything."""
    request = DecodeRequest(source=(SPECIAL.eos,), beam=12, n_best=12, max_length=3)
    result = Engine(shortlisted.stepper()).decode([request])[0]

    allowed = candidates(request.source)
    assert 1 < len(result.hypotheses)
    assert all(allowed.issuperset(h.tokens) for h in result.hypotheses)
    assert all(np.isfinite(h.score) for h in result.hypotheses)


def test_float32_products_are_refused() -> None:
    with pytest.raises(TypeError, match="8-bit"):
        export_graphs(lively_model(hybrid()), Float32(), padding=SPECIAL.pad)


def test_embedding_and_candidates_share_one_table() -> None:
    """Tied weights are stored by row once, for the embedding and for scoring candidates."""
    without, within = exported(None).graphs, exported(some_shortlist()).graphs

    grown = len(within["decoder.onnx"]) - len(without["decoder.onnx"])
    assert grown < lively_model(hybrid()).output.weight.numel() + 6000
