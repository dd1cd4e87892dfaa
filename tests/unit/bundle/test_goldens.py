"""Goldens: written, read, and compared with a fresh answer."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.bundle import (
    BundleError,
    Golden,
    GoldenHypothesis,
    dump_goldens,
    mismatches,
    parse_goldens,
)

ANSWER = GoldenHypothesis(text="cba", tokens=(6, 5, 4), score=-2.0)
GOLDEN = Golden(
    source="abc",
    beam=1,
    length_normalisation="none",
    length_penalty=1.0,
    coverage_penalty=0.0,
    min_length=0,
    max_length=10,
    hypotheses=(ANSWER,),
)


@given(source=st.text(st.characters(exclude_categories=["Cs"])), score=st.floats(-1e9, 0))
def test_what_was_written_is_read_back_equal(source: str, score: float) -> None:
    """Line separators of every kind may stand in a text."""
    answer = dataclasses.replace(ANSWER, text=source, score=score)
    golden = dataclasses.replace(GOLDEN, source=source, hypotheses=(answer,))

    assert (golden, golden) == parse_goldens(dump_goldens([golden, golden]))


def test_all_bad_lines_are_reported_by_number() -> None:
    good = dump_goldens([GOLDEN])
    data = good + b"{}\n" + good + b"nonsense\n" + good.replace(b'"beam": 1', b'"beam": 0')

    with pytest.raises(BundleError) as refused:
        parse_goldens(data)

    found = "\n".join(refused.value.problems)
    assert "line 2: source: missing" in found
    assert "line 4: is no JSON" in found
    assert "line 5: beam: must be between 1 and 32, not 0" in found


@pytest.mark.parametrize("data", [b"", b"\n\n"])
def test_goldens_without_a_greedy_one_are_refused(data: bytes) -> None:
    with pytest.raises(BundleError, match="no greedy golden"):
        parse_goldens(data)


def test_the_same_answer_holds() -> None:
    assert [] == mismatches(GOLDEN, [ANSWER])


@pytest.mark.parametrize("score", [-2.0, -2.0019, -1.9981])
def test_a_score_may_be_off_by_a_thousandth(score: float) -> None:
    assert [] == mismatches(GOLDEN, [dataclasses.replace(ANSWER, score=score)])


@pytest.mark.parametrize("score", [-2.01, -1.99, float("nan"), float("-inf")])
def test_a_score_further_off_does_not_hold(score: float) -> None:
    [found] = mismatches(GOLDEN, [dataclasses.replace(ANSWER, score=score)])

    assert "score of hypothesis 1 should be -2" in found


def test_other_tokens_do_not_hold_and_both_texts_are_shown() -> None:
    [found] = mismatches(GOLDEN, [dataclasses.replace(ANSWER, tokens=(6, 5), text="cb")])

    assert "golden 'abc' (beam 1): hypothesis 1 should be 'cba', is 'cb'" == found


def test_a_tokenizer_that_decodes_differently_is_seen() -> None:
    [found] = mismatches(GOLDEN, [dataclasses.replace(ANSWER, text="CBA")])

    assert "mean 'CBA', not 'cba'" in found


def test_missing_hypotheses_do_not_hold() -> None:
    assert ["golden 'abc' (beam 1): 1 hypotheses expected, 0 found"] == mismatches(GOLDEN, [])
