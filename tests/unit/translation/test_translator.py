"""Text in, text out: sentences, options, details, over-long and invisible text."""

import asyncio
from dataclasses import replace

import pytest

from service.bundle.graphs import TensorSpec
from service.decoding import (
    DecodeRequest,
    DecodeResult,
    FinishReason,
    Phrase,
    Sampling,
    SamplingOptions,
)
from service.errors import InvalidArgument, Overloaded
from service.translation import Term, TranslateOptions, Translation, Translator
from tests.unit.translation.fakes import (
    FakeEngine,
    FakeModel,
    PatientEngine,
    frozen,
    manifest,
    reversed_spelling,
)


def translate(text: str, engine: FakeEngine | None = None, **options: object) -> Translation:
    model = options.pop("model", FakeModel(manifest()))
    translator = Translator(model, engine or FakeEngine())
    return asyncio.run(translator.translate(text, TranslateOptions(**options)))


def test_a_sentence_is_translated():
    assert "ollaH" == translate("Hallo").text


def test_a_paragraph_keeps_its_white_space():
    assert "\n.tseT niE  .iewZ\n\n" == translate("\nEin Test.  Zwei.\n\n").text


def test_sentences_become_requests_with_the_end_mark_and_the_models_defaults():
    engine = FakeEngine()
    translate("Ja. Nein.", engine)
    eos = frozen().manifest.special_ids.eos

    assert [(4, eos), (6, eos)] == [(len(each.source), each.source[-1]) for each in engine.requests]
    assert {(4, 1, "average")} == {
        (each.beam, each.n_best, each.length_normalisation) for each in engine.requests
    }


def test_options_reach_the_engine():
    engine = FakeEngine()
    translate(
        "Ja",
        engine,
        beam=7,
        n_best=2,
        length_normalisation="gnmt",
        length_penalty=0.6,
        coverage_penalty=0.2,
        min_length=1,
        max_length=9,
    )
    (request,) = engine.requests

    assert (7, 2, "gnmt", 0.6, 0.2, 1, 9) == (
        request.beam,
        request.n_best,
        request.length_normalisation,
        request.length_penalty,
        request.coverage_penalty,
        request.min_length,
        request.max_length,
    )


async def test_a_deadline_reaches_the_engine():
    engine = FakeEngine()
    translator = Translator(FakeModel(manifest()), engine)
    await translator.translate("Ja. Nein.", TranslateOptions(), deadline=12.5)
    await translator.translate("Ja", TranslateOptions(), deadline=13.5)

    assert [12.5, 12.5, 13.5] == [each.deadline for each in engine.requests]


def test_texts_of_one_length_are_asked_for_each_with_its_own_source():
    engine = FakeEngine()
    translator = Translator(FakeModel(manifest()), engine)
    translator.translate_now(["abc", "cab", "abc"], TranslateOptions(beam=2))
    first, second, third = engine.requests

    assert first == third
    assert first.source != second.source
    assert first == replace(second, source=first.source)


def test_draws_of_no_seed_differ_though_all_else_is_the_same():
    engine = FakeEngine()
    options = TranslateOptions(sampling=SamplingOptions(), beam=1)
    translator = Translator(FakeModel(manifest()), engine)
    translator.translate_now(["abc", "abc"], options)
    first, second = engine.requests

    assert first.sampling != second.sampling


@pytest.mark.parametrize(
    ("field", "options"),
    [
        ("beam", {"beam": 0}),
        ("beam", {"beam": 10_000}),
        ("n_best", {"beam": 2, "n_best": 3}),
        ("n_best", {"n_best": 0}),
        ("max_length", {"max_length": 81}),
        ("length_penalty", {"length_penalty": float("nan")}),
    ],
)
def test_an_option_beyond_its_limit_is_named(field, options):
    with pytest.raises(InvalidArgument) as caught:
        translate("Ja", **options)

    assert field == caught.value.field


@pytest.mark.parametrize(
    "options", [{"alignments": True}, {"soft_alignments": True}, {"coverage_penalty": 0.1}]
)
def test_what_needs_attention_is_refused_by_a_model_without(options):
    with pytest.raises(InvalidArgument, match="needs attention"):
        translate("Ja", model=FakeModel(manifest(attention=False)), **options)


def test_a_transducer_gets_its_text_whole():
    engine = FakeEngine()
    translate("3. Mai 2020. Ja.", engine, model=FakeModel(manifest(task="transduction")))

    assert 1 == len(engine.requests)


def test_splitting_can_be_switched_off():
    engine = FakeEngine()
    translate("Eins. Zwei.", engine, split_sentences=False)

    assert 1 == len(engine.requests)


def test_a_sentence_that_is_too_long_is_translated_in_parts_and_flagged():
    translation = translate("eins zwei drei vier", model=FakeModel(manifest(max_source_tokens=12)))

    assert "iewz snie reiv ierd" == translation.text
    assert translation.sentence_was_cut
    assert 2 == translation.segments


def test_no_source_exceeds_the_models_limit_with_its_end_mark():
    engine = FakeEngine()
    translate("x" * 1000, engine, model=FakeModel(manifest(max_source_tokens=12)))

    assert all(len(each.source) <= 12 for each in engine.requests)
    assert 1000 == sum(len(each.source) - 1 for each in engine.requests)


def test_what_has_no_tokens_stays_as_it_is_and_is_not_decoded():
    class Blind:
        def encode(self, text: str) -> list[int]:
            return []

    engine = FakeEngine()
    translation = translate("\u200b", engine, model=FakeModel(manifest(), Blind()))

    assert "\u200b" == translation.text
    assert [] == engine.requests


def test_without_details_there_are_no_tokens():
    translation = translate("Ja")

    assert () == translation.source_pieces
    assert () == translation.hypotheses[0].tokens


def test_token_scores_include_the_end_mark_and_add_up():
    (hypothesis,) = translate("Ja", token_scores=True).hypotheses

    assert ["a", "J", "</s>"] == [each.piece for each in hypothesis.tokens]
    assert sum(each.log_prob for each in hypothesis.tokens) == pytest.approx(hypothesis.log_prob)


def test_alignments_point_into_the_source_pieces_of_the_whole_text():
    translation = translate("Ja. Ei.", alignments=True)
    pieces = translation.source_pieces
    aligned = [
        (each.piece, pieces[each.source_index])
        for each in translation.hypotheses[0].tokens
        if each.source_index is not None
    ]

    assert [(char, char) for char in ".aJ.iE"] == aligned
    assert ("J", "a", ".", "</s>", "E", "i", ".", "</s>") == pieces


def test_n_best_lists_of_sentences_are_combined_by_score():
    translation = translate("Ja. Ei.", n_best=3)

    assert [".aJ .iE", ".aJ .i", ".a .iE"] == [each.text for each in translation.hypotheses]
    assert [-2.0, -3.0, -3.0] == [each.score for each in translation.hypotheses]


def test_a_text_is_cut_off_when_one_of_its_sentences_is():
    def cut(request: DecodeRequest) -> DecodeResult:
        result = reversed_spelling(request)
        reason = FinishReason.LENGTH if len(request.source) == 4 else FinishReason.STOP
        first = result.hypotheses[0]
        changed = type(first)(
            tokens=first.tokens,
            log_prob=first.log_prob,
            score=first.score,
            token_log_probs=first.token_log_probs[:-1],
            finish_reason=reason,
        )
        return DecodeResult(hypotheses=(changed,), steps=1)

    engine = FakeEngine(answer=cut)

    assert FinishReason.LENGTH is translate("Ja. Nein.", engine).hypotheses[0].finish_reason
    assert FinishReason.STOP is translate("Nein.", engine).hypotheses[0].finish_reason


def test_times_are_those_of_the_slowest_sentence():
    translation = translate("Ja. Nein.")

    assert (0.005, 0.5, 0.25) == (
        translation.queue_seconds,
        translation.decode_seconds,
        translation.first_token_seconds,
    )


def test_the_error_of_the_engine_is_raised_as_it_is():
    with pytest.raises(Overloaded):
        translate("Ja. Nein.", FakeEngine(refuse=Overloaded("full", 2.0)))


async def test_cancelling_takes_every_sentence_out_of_the_engine():
    engine = PatientEngine()
    translator = Translator(FakeModel(manifest()), engine)
    task = asyncio.create_task(translator.translate("Ja. Nein. Doch.", TranslateOptions()))
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task])

    assert [True] * 3 == [future.cancelled() for future in engine.futures]


def test_here_and_now_equals_awaited():
    translator = Translator(FakeModel(manifest()), FakeEngine())
    texts, options = ["Ja. Nein.", " ", "Doch"], TranslateOptions(n_best=2, alignments=True)

    async def awaited() -> list[Translation]:
        return [await translator.translate(text, options) for text in texts]

    assert asyncio.run(awaited()) == translator.translate_now(texts, options)


def probed() -> FakeModel:
    """A model that can be asked for given tokens."""
    given = manifest()
    decoder = given.graphs.decoder
    probe = TensorSpec(name="probe_ids_RP", dtype="int64", shape=("R", "P"))
    decoder = replace(decoder, inputs=(*decoder.inputs, probe))
    return FakeModel(replace(given, graphs=replace(given.graphs, decoder=decoder)))


def test_the_whole_vocabulary_is_asked_for_on_request_only():
    engine = FakeEngine()
    translate("Ja", engine)
    translate("Ja", engine, whole_vocabulary=True)

    assert [False, True] == [request.unabridged for request in engine.requests]


def test_wishes_reach_the_engine_in_tokens():
    engine = FakeEngine()
    translate(
        "Ja",
        engine,
        model=probed(),
        soft_alignments=True,
        token_reward=0.5,
        repetition_penalty=1.5,
        no_repeat_ngram=3,
        forbidden_phrases=("a", "ja"),
        target_prefix="J",
        alternatives=True,
        sampling=SamplingOptions(seed=5, temperature=0.5, top_k=9, top_p=0.9),
        n_best=2,
    )
    (request,) = engine.requests
    encode = frozen().tokenizer.encode

    assert (True, 0.5, 1.5, 3, tuple(encode("J")), True) == (
        request.soft_alignments,
        request.token_reward,
        request.repetition_penalty,
        request.no_repeat_ngram,
        request.target_prefix,
        request.alternatives,
    )
    assert tuple(Phrase.of(tuple(encode(each))) for each in ("a", "ja")) == (
        request.forbidden_phrases
    )
    assert Sampling(seed=5, temperature=0.5, top_k=9, top_p=0.9) == request.sampling


@pytest.mark.parametrize(
    "options", [{"target_prefix": "J"}, {"required_phrases": ("J",)}, {"alternatives": True}]
)
def test_what_is_for_one_sentence_is_refused_for_several(options):
    with pytest.raises(InvalidArgument, match="for a single sentence; the text has 2"):
        translate("Ja. Nein.", model=probed(), **options)
    translate("Ja. Nein.", model=probed(), split_sentences=False, **options)


@pytest.mark.parametrize(
    "options",
    [{"target_prefix": "J"}, {"required_phrases": ("J",)}, {"terminology": (Term("J", "j"),)}],
)
def test_given_words_need_a_model_that_can_be_asked_for_tokens(options):
    with pytest.raises(InvalidArgument, match="which 'reverse' cannot") as caught:
        translate("Ja", **options)

    assert set(options) == {caught.value.field}


def test_soft_alignments_tell_where_their_sentence_begins_among_the_pieces():
    def attentive(request: DecodeRequest) -> DecodeResult:
        result = reversed_spelling(request)
        [first] = result.hypotheses
        row = tuple(1.0 if i == 0 else 0.0 for i in range(len(request.source)))
        return replace(result, hypotheses=(replace(first, attention=(row,) * len(first.tokens)),))

    translation = translate("Ja. Ei.", FakeEngine(answer=attentive), soft_alignments=True)
    tokens = translation.hypotheses[0].tokens

    assert ("J", "a", ".", "</s>", "E", "i", ".", "</s>") == translation.source_pieces
    assert [0, 0, 0, 0, 4, 4, 4, 0] == [each.attention_start for each in tokens]
    assert [4, 4, 4, 0, 4, 4, 4, 0] == [len(each.attention) for each in tokens]


def test_a_term_is_required_where_its_sentence_has_it():
    engine = FakeEngine()
    translate("Ein Haus. Ein Hof.", engine, model=probed(), terminology=(Term("Haus", "home"),))
    house, yard = engine.requests

    assert (tuple(frozen().tokenizer.encode("home")),) == house.required_phrases
    assert (10, ()) == (house.beam, yard.required_phrases)
    assert ((4, 5, 6, 7),) == house.required_sources


def test_what_is_required_twice_is_required_once():
    engine = FakeEngine()
    translate(
        "Haus",
        engine,
        model=probed(),
        required_phrases=("home", "a"),
        terminology=(Term("Haus", "home"),),
    )
    (request,) = engine.requests

    assert tuple(tuple(frozen().tokenizer.encode(each)) for each in ("home", "a")) == (
        request.required_phrases
    )


@pytest.mark.parametrize("options", [{"alternatives": True}, {"sampling": SamplingOptions()}])
@pytest.mark.parametrize("wish", [{"required_phrases": ("a",)}, {"terminology": (Term("x", "y"),)}])
def test_what_is_required_needs_a_beam(options, wish):
    with pytest.raises(InvalidArgument, match="needs a beam") as caught:
        translate("Ja", model=probed(), **options, **wish)

    assert set(wish) == {caught.value.field}
