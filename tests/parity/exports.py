"""Exports of small models, as candidates that the serving engine can run."""

import dataclasses

import numpy as np

from service.bundle import (
    CharacterTokenizer,
    DecodeDefaults,
    Limits,
    Manifest,
    Provenance,
    Quantisation,
    Shortlist,
    TokenizerSpec,
    character_table,
)
from service.decoding import DecodeRequest
from tests.training.tiny import SPECIAL, VOCABULARY, some_sources
from training.data.batches import Example
from training.export.arithmetic import Arithmetic, Float32
from training.export.calibration import calibrate
from training.export.graphs import export_graphs
from training.export.int8 import StaticInt8
from training.export.runner import Candidate
from training.models import Ensemble, Seq2Seq

LONGEST = 40


def candidate(
    model: Seq2Seq | Ensemble,
    arithmetic: Arithmetic | None = None,
    *,
    threads: int = 1,
    shortlist: Shortlist | None = None,
) -> Candidate:
    """An export of ``model``, in float32 unless told otherwise."""
    exported = export_graphs(
        model, arithmetic or Float32(), padding=None if shortlist is None else SPECIAL.pad
    )
    one = model.members[0] if isinstance(model, Ensemble) else model
    size = one.output.out_features
    letters = [chr(0x4E00 + i) for i in range(size - 4)]
    spec = TokenizerSpec(
        kind="characters", file="t.json", normalisation="identity", vocabulary_size=size
    )
    manifest = Manifest(
        format_version=1,
        name="tiny",
        version=1,
        task="translation",
        source_language="de",
        target_language="en",
        architecture={},
        tokenizer=spec,
        special_ids=SPECIAL,
        limits=Limits(max_source_tokens=LONGEST, max_target_tokens=LONGEST),
        graphs=exported.graphs,
        memories=exported.memories,
        states=exported.states,
        decoding=DecodeDefaults(
            beam=4,
            length_normalisation="gnmt",
            length_penalty=1.0,
            coverage_penalty=0.0,
            max_length_ratio=2.0,
            max_length_offset=5,
        ),
        quantisation=Quantisation(scheme="none", batch_invariant=True),
        quality=(),
        provenance=Provenance(
            data="",
            licence="",
            attribution="",
            recipe="",
            recipe_sha256="0" * 64,
            seed=1,
            duration_minutes=0.0,
            created="2020-01-01T00:00:00+00:00",
            parley_version="0",
        ),
        files={},
    )
    tokenizer = CharacterTokenizer(character_table(letters, SPECIAL), SPECIAL, spec)
    return Candidate(manifest, tokenizer, exported.files, threads, shortlist)


def with_threads(one: Candidate, threads: int) -> Candidate:
    return dataclasses.replace(one, threads=threads)


def eight_bits(model: Seq2Seq | Ensemble, examples: list[Example] | None = None) -> StaticInt8:
    """8-bit arithmetic calibrated on ``examples``, by default on random ones."""
    return StaticInt8(calibrate(model, examples or some_examples(64), SPECIAL))


def some_shortlist(vocabulary: int = VOCABULARY) -> Shortlist:
    """The end is always in; every token brings itself and two others. Padding is nobody's."""
    brought = [
        sorted({v, (3 * v + 1) % vocabulary, (7 * v + 2) % vocabulary} - {SPECIAL.pad})
        for v in range(vocabulary)
    ]
    return Shortlist(
        always_A=np.array([SPECIAL.eos]),
        offsets=np.concatenate([[0], np.cumsum([len(each) for each in brought])]),
        ids=np.concatenate(brought),
    )


def some_examples(count: int, vocabulary: int = VOCABULARY) -> list[Example]:
    rng = np.random.default_rng(3)
    lengths = rng.integers(1, 25, size=(count, 2)).tolist()
    return [
        Example(
            some_sources(1, source, vocabulary=vocabulary, seed=2 * i)[0],
            some_sources(1, target, vocabulary=vocabulary, seed=2 * i + 1)[0],
        )
        for i, (source, target) in enumerate(lengths)
    ]


def requests(
    count: int, longest: int = 20, beams: tuple[int, ...] = (1, 1, 4)
) -> list[DecodeRequest]:
    """Requests of mixed lengths and widths."""
    return [
        DecodeRequest(
            source=tuple(source.tolist()),
            beam=beams[i % len(beams)],
            n_best=beams[i % len(beams)],
            length_normalisation="gnmt",
            max_length=len(source) + 5,
        )
        for i, source in enumerate(some_sources(count, longest))
    ]
