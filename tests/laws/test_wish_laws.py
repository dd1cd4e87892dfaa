"""Bans, penalties, forced beginnings, samples: against definitions in plain Python."""

import dataclasses
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.decoding import DecodeRequest, Engine, FinishReason, Phrase, Sampling, Tokens
from service.decoding.draw import chances
from service.decoding.scripted import ScriptedStepper
from tests.laws.requests import SAMPLINGS, SEEDS, requests, wishful
from tests.support.decoding import (
    EOS,
    arbitrary_attention,
    arbitrary_model,
    decode_one,
    every_hypothesis,
    greedy,
    plain_beam,
    plain_draws,
    plain_fulfilment,
    spellings,
)

BEAMS = wishful(requests(widths=st.integers(1, 6), longest=10), vocabulary=9, drawn=st.just(False))
TERMS = wishful(
    requests(widths=st.integers(2, 6), longest=10),
    vocabulary=9,
    drawn=st.just(False),
    required=st.just(True),
)
DRAWS = wishful(requests(widths=st.integers(1, 5), longest=10), vocabulary=9, drawn=st.just(True))


@given(SEEDS, BEAMS, st.sampled_from([0.0, 1.0, 3.0]))
def test_a_beam_with_wishes_is_the_one_done_with_lists(
    seed: int, request_: DecodeRequest, end: float
) -> None:
    script, attention = arbitrary_model(seed, 9, end), arbitrary_attention(seed)

    result = decode_one(ScriptedStepper(script, attention=attention), request_)

    expected = plain_beam(script, attention, request_)
    assert [tokens for _, tokens in expected] == [h.tokens for h in result.hypotheses]
    assert [score for score, _ in expected] == pytest.approx([h.score for h in result.hypotheses])


@given(
    SEEDS,
    wishful(requests(widths=st.just(32), longest=4), vocabulary=3, drawn=st.just(False)),
)
def test_a_beam_wide_enough_finds_the_best_of_all_that_is_permitted(
    seed: int, request_: DecodeRequest
) -> None:
    script, attention = arbitrary_model(seed, vocabulary=3), arbitrary_attention(seed)

    result = decode_one(ScriptedStepper(script, attention=attention), request_)

    expected = every_hypothesis(script, attention, request_)[: request_.n_best]
    assert [score for score, _ in expected] == pytest.approx([h.score for h in result.hypotheses])
    assert [tokens for _, tokens in expected] == [h.tokens for h in result.hypotheses]


@given(
    SEEDS,
    wishful(requests(widths=st.just(1), longest=12), vocabulary=9, drawn=st.just(False)),
)
def test_width_one_is_greedy_among_what_is_permitted(seed: int, request_: DecodeRequest) -> None:
    script = arbitrary_model(seed, vocabulary=9)

    result = decode_one(ScriptedStepper(script), dataclasses.replace(request_, coverage_penalty=0))

    assert greedy(script, request_) == result.best.tokens


@given(SEEDS, DRAWS)
def test_samples_and_alternatives_are_those_drawn_one_by_one(
    seed: int, request_: DecodeRequest
) -> None:
    script = arbitrary_model(seed, vocabulary=9)

    result = decode_one(ScriptedStepper(script), request_)

    assert sorted(plain_draws(script, request_)) == sorted(h.tokens for h in result.hypotheses)
    assert sorted(result.hypotheses, key=lambda h: -h.score) == list(result.hypotheses)


@given(SEEDS, TERMS, st.sampled_from([0.0, 2.0]))
def test_required_phrases_are_searched_for_as_with_lists(
    seed: int, request_: DecodeRequest, end: float
) -> None:
    script, attention = arbitrary_model(seed, 9, end), arbitrary_attention(seed)

    result = decode_one(ScriptedStepper(script, attention=attention), request_)

    expected = plain_fulfilment(script, attention, request_)
    assert [tokens for _, tokens in expected] == [h.tokens for h in result.hypotheses]
    assert [score for score, _ in expected] == pytest.approx([h.score for h in result.hypotheses])


@given(
    SEEDS,
    wishful(
        requests(widths=st.just(32), longest=4),
        vocabulary=3,
        drawn=st.just(False),
        required=st.just(True),
    ),
)
# One phrase is said with the other, and so there is room for one more word.
@example(0, DecodeRequest(source=(2,), beam=32, max_length=3, required_phrases=((0,), (0, 0))))
@example(0, DecodeRequest(source=(2,), beam=32, max_length=4, required_phrases=((0, 1), (1, 0))))
def test_a_beam_wide_enough_finds_the_best_of_all_that_says_what_is_required(
    seed: int, request_: DecodeRequest
) -> None:
    script, attention = arbitrary_model(seed, vocabulary=3), arbitrary_attention(seed)

    result = decode_one(ScriptedStepper(script, attention=attention), request_)

    expected = every_hypothesis(script, attention, request_)[: request_.n_best]
    assert [score for score, _ in expected] == pytest.approx([h.score for h in result.hypotheses])
    assert [tokens for _, tokens in expected] == [h.tokens for h in result.hypotheses]


def test_a_phrase_is_begun_where_the_model_looks_at_what_it_translates() -> None:
    """Of "5 6 7", word by word, 6 shall be called 9, which the model would never say."""
    log_probs = np.log(np.full(12, 0.001))

    def script(source: Tokens, prefix: Tokens) -> np.ndarray:
        likely = log_probs.copy()
        likely[(*source, EOS)[min(len(prefix), len(source))]] = math.log(0.98)
        return likely

    request = DecodeRequest(source=(5, 6, 7, EOS), beam=6, max_length=8, required_phrases=((9,),))
    looking = dataclasses.replace(request, required_sources=((1,),))

    assert (5, 9, 7) == decode_one(ScriptedStepper(script), looking).best.tokens


@given(SEEDS, TERMS)
def test_whatever_ends_has_said_every_required_phrase(seed: int, request_: DecodeRequest) -> None:
    result = decode_one(ScriptedStepper(arbitrary_model(seed, vocabulary=9)), request_)

    assert result.hypotheses
    for tokens in (hypothesis.tokens for hypothesis in result.hypotheses):
        for phrase in request_.required_phrases:
            assert any(tokens[i:][: len(phrase)] == phrase for i in range(len(tokens)))


@given(SEEDS, BEAMS | DRAWS | TERMS)
def test_whatever_is_asked_the_model_is_quoted_truly(seed: int, request_: DecodeRequest) -> None:
    script, attention = arbitrary_model(seed, vocabulary=9), arbitrary_attention(seed)

    result = decode_one(ScriptedStepper(script, attention=attention), request_)

    for hypothesis in result.hypotheses:
        stopped = hypothesis.finish_reason is FinishReason.STOP
        said = (*hypothesis.tokens, EOS) if stopped else hypothesis.tokens
        each = [float(script(request_.source, said[:t])[said[t]]) for t in range(len(said))]
        assert each == pytest.approx(hypothesis.token_log_probs)
        assert sum(each) == pytest.approx(hypothesis.log_prob)
        assert hypothesis.tokens[: len(request_.target_prefix)] == request_.target_prefix
        if request_.soft_alignments:
            seen = [attention(request_.source, said[:t]) for t in range(len(hypothesis.tokens))]
            assert [tuple(map(float, each)) for each in seen] == list(hypothesis.attention)
        else:
            assert () == hypothesis.attention


@given(SEEDS, BEAMS | DRAWS)
def test_nothing_banned_is_ever_said_after_the_prefix(seed: int, request_: DecodeRequest) -> None:
    result = decode_one(ScriptedStepper(arbitrary_model(seed, vocabulary=9)), request_)

    start, n = len(request_.target_prefix), request_.no_repeat_ngram
    banned = [each for phrase in request_.forbidden_phrases for each in spellings(phrase)]
    for tokens in (hypothesis.tokens for hypothesis in result.hypotheses):
        for end in range(start + 1, len(tokens) + 1):
            assert not any(tokens[:end][-len(each) :] == each for each in banned)
            if n and end >= n:
                earlier = [tokens[i : i + n] for i in range(end - n)]
                assert tokens[end - n : end] not in earlier


@given(SEEDS, requests(widths=st.integers(1, 5), longest=10))
def test_wishes_that_ask_for_nothing_change_nothing(seed: int, request_: DecodeRequest) -> None:
    """Through the guards, with bans that never apply, comes bit for bit what comes without."""
    never = Phrase.of((50, 51))

    plain = decode_one(ScriptedStepper(arbitrary_model(seed, 9)), request_)
    guarded = decode_one(
        ScriptedStepper(arbitrary_model(seed, 9)),
        dataclasses.replace(request_, no_repeat_ngram=32, forbidden_phrases=(never,)),
    )

    assert plain.hypotheses == guarded.hypotheses


@given(SEEDS, st.data())
def test_a_prefix_that_would_be_said_anyway_changes_nothing(seed: int, data: st.DataObject) -> None:
    request_ = data.draw(requests(widths=st.just(1), longest=10))
    free = decode_one(ScriptedStepper(arbitrary_model(seed, 9)), request_)
    words = free.best.tokens[: request_.max_length - 1]
    prefix = words[: data.draw(st.integers(0, len(words)))]

    forced = decode_one(
        ScriptedStepper(arbitrary_model(seed, 9)),
        dataclasses.replace(request_, target_prefix=prefix),
    )

    assert free.hypotheses == forced.hypotheses


@given(SEEDS, requests(widths=st.just(1), longest=10), st.integers(0, 2**63 - 1))
def test_sampling_from_one_token_is_greedy(seed: int, request_: DecodeRequest, dice: int) -> None:
    drawn = dataclasses.replace(request_, sampling=Sampling(seed=dice, top_k=1))

    assert (
        decode_one(ScriptedStepper(arbitrary_model(seed, 9)), request_).hypotheses
        == decode_one(ScriptedStepper(arbitrary_model(seed, 9)), drawn).hypotheses
    )


@given(SEEDS, SAMPLINGS, st.integers(1, 8))
def test_more_samples_are_the_same_samples_and_more(
    seed: int, sampling: Sampling, count: int
) -> None:
    def samples(count: int) -> Counter[Tokens]:
        request = DecodeRequest(source=(5, EOS), max_length=8, n_best=count, sampling=sampling)
        result = decode_one(ScriptedStepper(arbitrary_model(seed, 9)), request)
        return Counter(h.tokens for h in result.hypotheses)

    assert samples(count) <= samples(count + 1)


def test_samples_are_as_frequent_as_they_are_probable() -> None:
    """Of 4000 draws of one token, each is drawn as often as temperature and nucleus say."""
    log_probs = np.log([0.001, 0.001, 0.298, 0.4, 0.2, 0.1])
    engine = Engine(ScriptedStepper(lambda _source, _prefix: log_probs))
    asked = [
        DecodeRequest(
            source=(5, EOS),
            max_length=1,
            n_best=20,
            sampling=Sampling(seed=seed, temperature=0.5, top_k=4, top_p=0.96),
        )
        for seed in range(200)
    ]

    drawn = Counter(h.tokens for result in engine.decode(asked) for h in result.hypotheses)

    squares = {(3,): 0.4**2, (): 0.298**2, (4,): 0.2**2}  # token 5 is beyond the nucleus
    assert set(squares) == set(drawn)
    for tokens, square in squares.items():
        expected = 4000 * square / sum(squares.values())
        assert abs(drawn[tokens] - expected) < 4 * math.sqrt(expected)


def test_chance_is_the_same_for_ever() -> None:
    """These numbers are part of the interface: a seed that was noted down keeps its meaning."""
    assert [0.8720734548204873, 0.29536538151378355] == chances(7, 0, 2).tolist()
    assert [0.8824668302545412, 0.3690383346754841] == chances(7, 1, 2).tolist()
    assert chances(7, 1, 9)[:2].tolist() == chances(7, 1, 2).tolist()
