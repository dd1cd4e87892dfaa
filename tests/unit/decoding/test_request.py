"""What may be asked: refused at the door with the field, the limit and the value."""

import dataclasses

import pytest

from service.bundle.manifest import DecodeDefaults, Limits
from service.decoding import DecodeOptions, DecodeRequest, Phrase, Sampling, SamplingOptions
from service.errors import InvalidArgument

DEFAULTS = DecodeDefaults(
    beam=4,
    length_normalisation="gnmt",
    length_penalty=0.6,
    coverage_penalty=0.2,
    max_length_ratio=1.5,
    max_length_offset=3,
)
LIMITS = Limits(max_source_tokens=10, max_target_tokens=20)
SOURCE = (5, 6, 7, 2)


@pytest.mark.parametrize(
    ("field", "value", "limit"),
    [
        ("beam", 0, "between 1 and 32"),
        ("beam", 10_000, "between 1 and 32"),
        ("n_best", 5, "between 1 and 4 (the beam width)"),
        ("n_best", 0, "between 1 and 4"),
        ("length_penalty", -0.1, "between 0.0 and 100.0"),
        ("length_penalty", float("nan"), "between 0.0 and 100.0"),
        ("coverage_penalty", float("inf"), "between 0.0 and 100.0"),
        ("max_length", 0, "at least 1"),
        ("min_length", 11, "between 0 and 10 (the maximum length)"),
        ("length_normalisation", "soft", "none, average, gnmt"),
        ("source", (), "end-of-sentence"),
        ("token_reward", 101.0, "between -100.0 and 100.0"),
        ("repetition_penalty", 0.9, "between 1.0 and 10.0"),
        ("no_repeat_ngram", 33, "between 0 and 32"),
        ("forbidden_phrases", (Phrase.of((5,)),) * 129, "at most 128, got 129"),
        ("target_prefix", (5,) * 10, "shorter than the maximum length of 10 tokens, got 10"),
    ],
)
def test_an_impossible_request_names_field_limit_and_value(
    field: str, value: object, limit: str
) -> None:
    arguments = {"source": SOURCE, "beam": 4, "max_length": 10} | {field: value}

    with pytest.raises(InvalidArgument) as caught:
        DecodeRequest(**arguments)  # type: ignore[arg-type]  # fields of the dataclass

    assert field == caught.value.field
    assert limit in caught.value.message
    assert isinstance(value, tuple) or str(value) in caught.value.message


def test_a_request_is_like_one_for_another_source_of_its_length() -> None:
    options = DecodeOptions(beam=3, n_best=2, no_repeat_ngram=4)
    pattern = options.resolve(SOURCE, DEFAULTS, LIMITS)
    expected = options.resolve((7, 5, 5, 2), DEFAULTS, LIMITS, deadline=9.0)

    assert expected == pattern.like((7, 5, 5, 2), 9.0)
    assert (SOURCE, None) == (pattern.source, pattern.deadline)


def test_what_is_not_asked_is_as_the_bundle_recommends() -> None:
    request = DecodeOptions().resolve(SOURCE, DEFAULTS, LIMITS, deadline=9.0)

    assert request == DecodeRequest(
        source=SOURCE,
        beam=4,
        length_normalisation="gnmt",
        length_penalty=0.6,
        coverage_penalty=0.2,
        max_length=9,  # ceil(1.5 x 4) + 3
        deadline=9.0,
    )


def test_what_is_asked_wins() -> None:
    options = DecodeOptions(
        beam=2,
        n_best=2,
        length_normalisation="none",
        length_penalty=0.0,
        coverage_penalty=0.0,
        min_length=1,
        max_length=7,
        alignments=True,
    )

    assert options.resolve(SOURCE, DEFAULTS, LIMITS) == DecodeRequest(
        source=SOURCE,
        beam=2,
        n_best=2,
        length_penalty=0.0,
        min_length=1,
        max_length=7,
        alignments=True,
    )


@pytest.mark.parametrize(
    ("field", "value", "limit"),
    [
        ("temperature", 0.0, "between 0.01 and 100.0, got 0.0"),
        ("temperature", float("nan"), "between 0.01 and 100.0, got nan"),
        ("top_k", 257, "between 1 and 256, got 257"),
        ("top_p", 0.0, "above 0 and at most 1, got 0.0"),
        ("seed", -1, "between 0 and 9223372036854775807, got -1"),
    ],
)
def test_sampling_beyond_a_limit_is_refused(field: str, value: object, limit: str) -> None:
    options = DecodeOptions(sampling=SamplingOptions(**{field: value}))  # type: ignore[arg-type]  # fields of the dataclass

    with pytest.raises(InvalidArgument) as caught:
        options.resolve(SOURCE, DEFAULTS, LIMITS)

    assert f"sampling.{field}" == caught.value.field
    assert limit in caught.value.message


@pytest.mark.parametrize(
    "options",
    [
        DecodeOptions(n_best=3, sampling=SamplingOptions()),
        DecodeOptions(n_best=3, alternatives=True),
    ],
)
def test_samples_and_alternatives_need_a_row_each_and_no_beam(options: DecodeOptions) -> None:
    request = options.resolve(SOURCE, DEFAULTS, LIMITS)

    assert (1, 3) == (request.beam, request.rows)
    with pytest.raises(InvalidArgument, match="must be 1 with"):
        dataclasses.replace(options, beam=3).resolve(SOURCE, DEFAULTS, LIMITS)


@pytest.mark.parametrize(
    ("options", "field", "message"),
    [
        ({"beam": 1}, "beam", "at least 2 with required_phrases, got 1"),
        ({"sampling": Sampling(seed=1), "beam": 1}, "required_phrases", "need a beam"),
        ({"required_phrases": ((5,), ())}, "required_phrases", "at least one token"),
        ({"required_phrases": ((5,) * 65,)}, "required_phrases", "between 1 and 64"),
        ({"required_sources": ((), ())}, "required_sources", "as many as required_phrases (1)"),
        ({"required_sources": ((len(SOURCE),),)}, "required_sources", "the last of the source"),
        (
            {"target_prefix": (5,) * 4, "required_phrases": ((5,) * 7,)},
            "required_phrases",
            "have 7 tokens; after a prefix of 4 there is room for 6 (the maximum length is 10)",
        ),
    ],
)
def test_phrases_that_cannot_be_said_are_refused(
    options: dict[str, object], field: str, message: str
) -> None:
    asked = {"source": SOURCE, "max_length": 10, "beam": 4, "required_phrases": ((5, 6),)} | options

    with pytest.raises(InvalidArgument) as caught:
        DecodeRequest(**asked)  # type: ignore[arg-type]  # fields of the dataclass

    assert field == caught.value.field
    assert message in caught.value.message


def test_what_phrases_cost_is_not_spread_over_more_words_unless_asked_for() -> None:
    options = DecodeOptions(required_phrases=((5,),))
    averaging = dataclasses.replace(options, length_normalisation="average")

    assert "none" == options.resolve(SOURCE, DEFAULTS, LIMITS).length_normalisation
    assert "average" == averaging.resolve(SOURCE, DEFAULTS, LIMITS).length_normalisation


def test_required_phrases_widen_the_recommended_beam_and_leave_room_for_an_end() -> None:
    options = DecodeOptions(required_phrases=((5,) * 12,), target_prefix=(6,))
    request = options.resolve(SOURCE, DEFAULTS, LIMITS)

    assert (10, 14) == (request.beam, request.max_length)


def test_without_a_seed_every_request_has_its_own() -> None:
    options = DecodeOptions(sampling=SamplingOptions())
    first, second = (options.resolve(SOURCE, DEFAULTS, LIMITS).sampling for _ in range(2))

    assert first != second


def test_a_prefix_leaves_room_for_an_end_within_the_models_limit() -> None:
    options = DecodeOptions(target_prefix=(5,) * 15)

    assert 16 == options.resolve(SOURCE, DEFAULTS, LIMITS).max_length


def test_a_recommended_beam_widens_to_the_n_best_asked_for() -> None:
    assert 8 == DecodeOptions(n_best=8).resolve(SOURCE, DEFAULTS, LIMITS).beam


def test_the_length_asked_for_by_ratio_stays_within_the_models_limit() -> None:
    short = DecodeOptions(max_length_ratio=0.25).resolve(SOURCE, DEFAULTS, LIMITS)
    long = DecodeOptions(max_length_ratio=1000.0).resolve(SOURCE, DEFAULTS, LIMITS)

    assert (4, 20) == (short.max_length, long.max_length)


@pytest.mark.parametrize(
    ("options", "source", "field"),
    [
        (DecodeOptions(max_length=21), SOURCE, "max_length"),
        (DecodeOptions(max_length_ratio=0.0), SOURCE, "max_length_ratio"),
        (DecodeOptions(max_length_ratio=float("nan")), SOURCE, "max_length_ratio"),
        (DecodeOptions(min_length=21), SOURCE, "min_length"),
        (DecodeOptions(), (5,) * 10 + (2,), "source"),
        (DecodeOptions(n_best=33), SOURCE, "n_best"),
    ],
)
def test_beyond_a_limit_of_the_bundle_is_refused(
    options: DecodeOptions, source: tuple[int, ...], field: str
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        options.resolve(source, DEFAULTS, LIMITS)

    assert field == caught.value.field
