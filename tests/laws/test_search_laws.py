"""What the search finds, against searches that are slow and obvious."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.decoding import DecodeRequest, FinishReason
from service.decoding.scripted import ScriptedStepper
from tests.laws.requests import SEEDS, requests
from tests.support.decoding import (
    EOS,
    arbitrary_attention,
    arbitrary_model,
    decode_one,
    every_hypothesis,
    greedy,
    plain_beam,
)


@given(SEEDS, requests(widths=st.just(1), longest=12))
def test_width_one_is_greedy(seed: int, request_: DecodeRequest) -> None:
    script = arbitrary_model(seed, vocabulary=9)

    result = decode_one(ScriptedStepper(script), dataclasses.replace(request_, coverage_penalty=0))

    assert greedy(script, request_) == result.best.tokens


@given(SEEDS, requests(widths=st.just(32), longest=4))
def test_a_beam_wide_enough_finds_the_best_of_all(seed: int, request_: DecodeRequest) -> None:
    script, attention = arbitrary_model(seed, vocabulary=3), arbitrary_attention(seed)

    result = decode_one(ScriptedStepper(script, attention=attention), request_)

    expected = every_hypothesis(script, attention, request_)[: request_.n_best]
    assert [tokens for _, tokens in expected] == [h.tokens for h in result.hypotheses]
    assert [score for score, _ in expected] == pytest.approx([h.score for h in result.hypotheses])


@given(SEEDS, requests(widths=st.integers(2, 6), longest=10), st.sampled_from([0.0, 1.0, 3.0]))
def test_a_beam_of_any_width_is_the_one_done_with_lists(
    seed: int, request_: DecodeRequest, end: float
) -> None:
    script, attention = arbitrary_model(seed, 9, end), arbitrary_attention(seed)

    result = decode_one(ScriptedStepper(script, attention=attention), request_)

    expected = plain_beam(script, attention, request_)
    assert [tokens for _, tokens in expected] == [h.tokens for h in result.hypotheses]
    assert [score for score, _ in expected] == pytest.approx([h.score for h in result.hypotheses])


@given(SEEDS, requests(widths=st.integers(1, 8), longest=10))
def test_hypotheses_are_sorted_distinct_and_true_to_the_model(
    seed: int, request_: DecodeRequest
) -> None:
    script = arbitrary_model(seed, vocabulary=9)

    hypotheses = decode_one(ScriptedStepper(script), request_).hypotheses

    assert sorted(hypotheses, key=lambda h: -h.score) == list(hypotheses)
    assert len({(h.tokens, h.finish_reason) for h in hypotheses}) == len(hypotheses)
    assert 1 <= len(hypotheses) <= request_.n_best
    for hypothesis in hypotheses:
        stopped = hypothesis.finish_reason is FinishReason.STOP
        said = (*hypothesis.tokens, EOS) if stopped else hypothesis.tokens
        each = [float(script(request_.source, said[:t])[said[t]]) for t in range(len(said))]
        assert each == pytest.approx(hypothesis.token_log_probs)
        assert sum(each) == pytest.approx(hypothesis.log_prob)
        assert EOS not in hypothesis.tokens
        assert request_.min_length <= len(hypothesis.tokens) <= request_.max_length
        assert stopped or len(hypothesis.tokens) == request_.max_length


@given(SEEDS, requests(widths=st.integers(1, 8), longest=10))
def test_alignments_name_the_position_attended_to_when_each_token_was_chosen(
    seed: int, request_: DecodeRequest
) -> None:
    attention = arbitrary_attention(seed)
    stepper = ScriptedStepper(arbitrary_model(seed, vocabulary=9), attention=attention)

    result = decode_one(stepper, dataclasses.replace(request_, alignments=True))

    for hypothesis in result.hypotheses:
        expected = [
            int(attention(request_.source, hypothesis.tokens[:t]).argmax())
            for t in range(len(hypothesis.tokens))
        ]
        assert expected == list(hypothesis.alignment)
