"""The crowd laws on real graphs: tokens and scores are the same to the last bit."""

import dataclasses
import random

import pytest

from service.bundle import Bundle, open_bundle
from service.decoding import DecodeOptions, DecodeRequest, DecodeResult, Engine, EngineLimits
from service.decoding.session import OnnxStepper
from tests.support.bundles import FROZEN


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return open_bundle(FROZEN)


@pytest.fixture(scope="module")
def crowd(bundle: Bundle) -> list[DecodeRequest]:
    """Requests of every kind, from one token to forty."""
    chance = random.Random(7)
    return [anybody(bundle, chance) for _ in range(80)]


def anybody(bundle: Bundle, chance: random.Random) -> DecodeRequest:
    text = "".join(chance.choice("abcdefghij ,.") for _ in range(chance.choice([1, 5, 9, 17, 39])))
    beam = chance.choice([1, 1, 1, 2, 5, 8])
    options = DecodeOptions(
        beam=beam,
        n_best=chance.randint(1, beam),
        length_normalisation=chance.choice(["none", "average", "gnmt"]),
        coverage_penalty=chance.choice([0.0, 0.0, 0.2]),
        min_length=chance.choice([0, 0, 4]),
        alignments=chance.random() < 0.5,
    )
    source = [*bundle.tokenizer.encode(text), bundle.manifest.special_ids.eos]
    return options.resolve(source, bundle.manifest.decoding, bundle.manifest.limits)


def said(results: list[DecodeResult]) -> list[DecodeResult]:
    """Results without times."""
    return [
        dataclasses.replace(r, queue_seconds=0, decode_seconds=0, first_token_seconds=0)
        for r in results
    ]


@pytest.fixture(scope="module")
def alone(bundle: Bundle, crowd: list[DecodeRequest]) -> list[DecodeResult]:
    """What each gets with nobody else there."""
    engine = Engine(OnnxStepper.from_bundle(bundle, threads=1))
    return said([engine.decode([request])[0] for request in crowd])


@pytest.mark.parametrize("rows", [8, 24, 320])
def test_in_a_crowd_of_any_size(
    bundle: Bundle, crowd: list[DecodeRequest], alone: list[DecodeResult], rows: int
) -> None:
    engine = Engine(OnnxStepper.from_bundle(bundle, threads=1), EngineLimits(max_rows=rows))

    assert alone == said(engine.decode(crowd))


def test_with_more_threads(
    bundle: Bundle, crowd: list[DecodeRequest], alone: list[DecodeResult]
) -> None:
    assert alone == said(Engine(OnnxStepper.from_bundle(bundle, threads=2)).decode(crowd))


def test_next_to_a_source_that_makes_the_padding_long(
    bundle: Bundle, crowd: list[DecodeRequest], alone: list[DecodeResult]
) -> None:
    long = dataclasses.replace(crowd[0], source=(5,) * 63 + (bundle.manifest.special_ids.eos,))
    engine = Engine(OnnxStepper.from_bundle(bundle, threads=1), EngineLimits(max_rows=24))

    assert alone == said(engine.decode([long, *crowd]))[1:]
