"""The law of the engine on exported graphs: alone or in any crowd, the answer is the same bits."""

import dataclasses
import random
from typing import Any

import pytest

from service.decoding import DecodeRequest, DecodeResult, Engine, EngineLimits, Sampling
from tests.parity.exports import candidate, eight_bits, some_shortlist, with_threads
from tests.training.tiny import (
    SPECIAL,
    architecture,
    hybrid,
    lively_model,
    some_sources,
    transformer,
)
from training.config import ModelConfig
from training.export.runner import Candidate


def recurrent(
    cell: str, attention: str, *, bidirectional: bool = True, **changes: Any
) -> ModelConfig:
    """Wider than other tests' models: kernels choose their ways by size."""
    return architecture(
        cell=cell,
        attention=attention,
        bidirectional=bidirectional,
        embedding=24,
        encoder_hidden=37,
        decoder_hidden=52,
        **{"attention_width": 33, **changes},
    )


def wide_hybrid(cell: str, *, conditional: bool) -> ModelConfig:
    """The same of the hybrids."""
    return hybrid(
        decoder_cell=cell,
        conditional=conditional,
        embedding=72,
        heads=4,
        encoder_feed_forward=101,
        decoder_feed_forward=53,
    )


MODELS = {
    "lstm general": recurrent("lstm", "general"),
    "gru additive": recurrent("gru", "additive"),
    "lstm dot one way": recurrent("lstm", "dot", bidirectional=False),
    "gru none": recurrent("gru", "none"),
    "rnn general": recurrent("rnn", "general"),
    "gru additive, conditional, deep, residual": recurrent(
        "gru",
        "additive",
        conditional=True,
        residual=True,
        encoder_transitions=2,
        decoder_transitions=3,
    ),
    "lstm general, normed": recurrent("lstm", "general", cell_norm=True),
    "gru multihead": recurrent("gru", "multihead", attention_width=36),
    "next symbol lstm": recurrent("lstm", "none", encoder="shared", decoder="next-symbol"),
    "hybrid lstm conditional": wide_hybrid("lstm", conditional=True),
    "hybrid ssru": wide_hybrid("ssru", conditional=False),
    "transformer": transformer(
        embedding=96, heads=4, encoder_feed_forward=101, decoder_feed_forward=53
    ),
    "transformer of one head": transformer(embedding=72, heads=1),
}
KINDS = [
    *((name, bits) for name in MODELS for bits in ("float32", "int8")),
    ("hybrid lstm conditional", "int8 shortlisted"),
    ("gru none", "int8 shortlisted"),
    ("transformer", "int8 shortlisted"),
]


@pytest.fixture(scope="module", params=KINDS, ids=" ".join)
def exported(request: pytest.FixtureRequest) -> Candidate:
    name, bits = request.param
    model = lively_model(MODELS[name])
    for parameter in model.parameters():
        parameter.data /= 2  # wider sums: keep the gates where rounding shows
    if bits == "float32":
        return candidate(model)
    shortlist = some_shortlist() if "shortlisted" in bits else None
    return candidate(model, eight_bits(model), shortlist=shortlist)


@pytest.fixture(scope="module")
def crowd(exported: Candidate) -> list[DecodeRequest]:
    """Requests of every width and length."""
    chance = random.Random(5)
    attends = exported.stepper().has_attention
    asked: list[DecodeRequest] = []
    for number, length in enumerate([1, 2, 3, 5, 7, 8, 9, 13, 16, 17, 23, 24, 25, 33, 39] * 2):
        beam = chance.choice([1, 1, 1, 2, 4, 7])
        asked.append(
            DecodeRequest(
                source=tuple(some_sources(1, length, seed=number)[0].tolist()),
                beam=beam,
                n_best=chance.randint(1, beam),
                length_normalisation=chance.choice(["none", "average", "gnmt"]),
                max_length=chance.choice([3, 8, 15]),
                min_length=chance.choice([0, 2]),
                alignments=attends and chance.random() < 0.5,
            )
        )
    for number, plain in enumerate(asked[::3]):
        drawn = {"beam": 1, "n_best": 2, "sampling": Sampling(seed=number, temperature=2.0)}
        asked.append(
            dataclasses.replace(
                plain,
                **(drawn if number % 2 else {}),
                source=tuple(some_sources(1, len(plain.source), seed=50 + number)[0].tolist()),
                min_length=0,
                **({"required_phrases": ((9, 8),)} if plain.beam > 2 and number % 2 == 0 else {}),
                no_repeat_ngram=2,
                repetition_penalty=1.2,
                target_prefix=plain.source[:1] * (number % 3 > 0),
            )
        )
    chance.shuffle(asked)
    return asked


def said(results: list[DecodeResult]) -> list[DecodeResult]:
    """Results without times: tokens, every score and log-probability, alignments."""
    return [
        dataclasses.replace(r, queue_seconds=0, decode_seconds=0, first_token_seconds=0)
        for r in results
    ]


def engine(exported: Candidate, rows: int = 320) -> Engine:
    return Engine(exported.stepper(), EngineLimits(max_rows=rows))


@pytest.fixture(scope="module")
def alone(exported: Candidate, crowd: list[DecodeRequest]) -> list[DecodeResult]:
    """What each gets with nobody else there."""
    deserted = engine(exported)
    return said([deserted.decode([request])[0] for request in crowd])


@pytest.mark.parametrize("rows", [7, 16, 320])
def test_in_a_crowd_of_any_size(
    exported: Candidate, crowd: list[DecodeRequest], alone: list[DecodeResult], rows: int
) -> None:
    assert alone == said(engine(exported, rows).decode(crowd))


def test_in_any_order(
    exported: Candidate, crowd: list[DecodeRequest], alone: list[DecodeResult]
) -> None:
    assert alone[::-1] == said(engine(exported).decode(crowd[::-1]))


def test_with_two_threads(
    exported: Candidate, crowd: list[DecodeRequest], alone: list[DecodeResult]
) -> None:
    assert alone == said(engine(with_threads(exported, 2)).decode(crowd))


@pytest.mark.parametrize("length", [8, 16, 40])
def test_beside_a_sentence_that_makes_the_padding_long(
    exported: Candidate, crowd: list[DecodeRequest], alone: list[DecodeResult], length: int
) -> None:
    """Sources are padded to multiples of eight positions: those of the longest that is held."""
    source = tuple(some_sources(1, length, seed=99)[0].tolist())
    long = DecodeRequest(source=source, max_length=15)

    for request, wanted in list(zip(crowd, alone, strict=True))[:6]:
        assert [wanted] == said(engine(exported).decode([long, request]))[1:]


@pytest.mark.parametrize("beam", [1, 2, 7])
def test_beside_greedy_and_beam_neighbours(
    exported: Candidate, crowd: list[DecodeRequest], alone: list[DecodeResult], beam: int
) -> None:
    neighbours = [
        DecodeRequest(source=tuple(source.tolist()), beam=beam, max_length=9)
        for source in some_sources(5, 12, seed=98)
    ]

    for request, wanted in list(zip(crowd, alone, strict=True))[:6]:
        assert wanted == said(engine(exported).decode([*neighbours, request]))[-1]


def test_the_crowd_is_not_of_one_mind(alone: list[DecodeResult]) -> None:
    """A model that always says the same would prove nothing."""
    assert len({result.best.tokens for result in alone}) > len(alone) / 3
    # Two sources are of one token, the eos, of which a next-symbol model reads nothing.
    assert len({result.best.token_log_probs for result in alone}) >= len(alone) - 1
    assert SPECIAL.eos not in {token for result in alone for token in result.best.tokens}
