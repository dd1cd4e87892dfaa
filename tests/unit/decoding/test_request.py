"""What may be asked: refused at the door with the field, the limit and the value."""

import pytest

from service.bundle.manifest import DecodeDefaults, Limits
from service.decoding import DecodeOptions, DecodeRequest
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
    ],
)
def test_an_impossible_request_names_field_limit_and_value(
    field: str, value: object, limit: str
) -> None:
    arguments = {"source": SOURCE, "beam": 4, "max_length": 10} | {field: value}

    with pytest.raises(InvalidArgument) as caught:
        DecodeRequest(**arguments)  # type: ignore[arg-type]

    assert field == caught.value.field
    assert limit in caught.value.message
    assert field == "source" or str(value) in caught.value.message


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
