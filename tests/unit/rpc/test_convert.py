"""Requests are checked on the way in; answers are complete on the way out."""

from dataclasses import replace

import pytest

from service.decoding import SamplingOptions
from service.errors import InvalidArgument
from service.rpc import convert
from service.rpc.limits import Limits
from service.rpc.pb.parley.v1 import translation_pb2 as pb
from service.rpc.selection import Languages, ModelRef
from service.translation import Term, TranslateOptions
from tests.unit.rpc.fakes import FakeVersion, translation
from tests.unit.translation.fakes import manifest

LIMITS = Limits(max_contents=2, max_text_chars=5)


def order(**fields: object) -> convert.Order:
    return convert.order_from(pb.TranslateRequest(**{"contents": ["a"], **fields}), LIMITS)


def test_what_is_not_set_is_left_to_the_model():
    assert TranslateOptions() == order().options


def test_what_is_set_is_kept_even_if_it_is_zero():
    options = pb.TranslateOptions(
        beam=0,
        n_best=2,
        length_normalisation=pb.LENGTH_NORMALISATION_GNMT,
        length_penalty=0.0,
        coverage_penalty=0.5,
        min_length=3,
        max_length=4,
        token_scores=True,
        alignments=True,
        split_sentences=False,
        soft_alignments=True,
        token_reward=0.0,
        repetition_penalty=1.0,
        no_repeat_ngram=0,
        forbidden_phrases=["a", "b"],
        target_prefix="c",
        required_phrases=["d"],
        terminology=[pb.Term(source="e", target="f")],
        alternatives=True,
        sampling=pb.Sampling(seed=0, top_p=0.0),
        whole_vocabulary=True,
    )

    assert (
        TranslateOptions(
            beam=0,
            n_best=2,
            length_normalisation="gnmt",
            length_penalty=0.0,
            coverage_penalty=0.5,
            min_length=3,
            max_length=4,
            token_scores=True,
            alignments=True,
            split_sentences=False,
            soft_alignments=True,
            token_reward=0.0,
            repetition_penalty=1.0,
            no_repeat_ngram=0,
            forbidden_phrases=("a", "b"),
            target_prefix="c",
            required_phrases=("d",),
            terminology=(Term("e", "f"),),
            alternatives=True,
            sampling=SamplingOptions(seed=0, top_p=0.0),
            whole_vocabulary=True,
        )
        == order(options=options).options
    )


def test_sampling_is_on_as_soon_as_it_is_there():
    assert (
        TranslateOptions(sampling=SamplingOptions())
        == order(options=pb.TranslateOptions(sampling=pb.Sampling())).options
    )


def test_model_and_languages_are_read():
    found = order(model="m/3", source_language_code="de_AT", target_language_code="en")

    assert (ModelRef("m", 3), Languages("de-AT", "en")) == (found.model, found.languages)


@pytest.mark.parametrize("mime_type", ["", "text/plain"])
def test_plain_text_is_translated(mime_type):
    assert ("a",) == order(mime_type=mime_type).texts


@pytest.mark.parametrize(
    ("fields", "field", "message"),
    [
        ({"contents": []}, "contents", "is empty"),
        ({"contents": ["a", "b", "c"]}, "contents", "has 3 texts; the limit is 2"),
        ({"contents": ["a", ""]}, "contents[1]", "is empty"),
        ({"contents": [" \n\u00a0"]}, "contents[0]", "is only white space"),
        ({"contents": ["a", "äöüßéà"]}, "contents[1]", "has 6 characters; the limit is 5"),
        ({"mime_type": "text/html"}, "mime_type", "supported: text/plain"),
        ({"model": "no/such/thing"}, "model", "NAME/VERSION"),
        ({"source_language_code": "?"}, "source_language_code", "BCP-47"),
        (
            {"options": pb.TranslateOptions(length_normalisation=99)},
            "options.length_normalisation",
            "LENGTH_NORMALISATION_GNMT",
        ),
    ],
)
def test_a_bad_request_names_field_limit_and_value(fields, field, message):
    with pytest.raises(InvalidArgument) as caught:
        order(**fields)

    assert field == caught.value.field
    assert message in caught.value.message


def test_soft_alignments_are_told_with_where_they_begin():
    given = translation("HALLO")
    token = replace(given.hypotheses[0].tokens[0], attention=(0.25, 0.75), attention_start=3)
    hypothesis = replace(given.hypotheses[0], tokens=(token,))
    given = replace(given, hypotheses=(hypothesis,))
    message = convert.response_message([given], "m/1").translations[0]

    (told,) = message.hypotheses[0].tokens
    assert ([0.25, 0.75], 3) == (list(told.attention), told.attention_start)


def test_an_answer_tells_everything():
    message = convert.response_message([translation("HALLO")], "m/1").translations[0]
    (hypothesis,) = message.hypotheses
    piece, end = hypothesis.tokens

    assert ("HALLO", "m/1", 1) == (message.translated_text, message.model, message.segments)
    assert ["hallo", "</s>"] == list(message.source_pieces)
    assert (0.25, 0.5, 0.375) == (
        message.timings.queue_seconds,
        message.timings.decode_seconds,
        message.timings.first_token_seconds,
    )
    assert (-0.375, -0.75, pb.FINISH_REASON_STOP) == (
        hypothesis.score,
        hypothesis.log_prob,
        hypothesis.finish_reason,
    )
    assert ("HALLO", -0.25, 0) == (piece.piece, piece.log_prob, piece.source_index)
    assert ("</s>", False) == (end.piece, end.HasField("source_index"))


@pytest.mark.parametrize("state", ["new", "loading", "ready", "quiescing", "unloaded", "failed"])
def test_every_state_of_a_version_can_be_told(state):
    message = convert.model_message(FakeVersion(state=state))

    assert f"MODEL_STATE_{state.upper()}" == pb.ModelState.Name(message.state)


def test_a_version_without_a_manifest_tells_why():
    message = convert.model_message(
        FakeVersion(state="failed", serving=False, reason="digest", manifest=None)
    )

    assert ("digest", "") == (message.reason, message.source_language_code)


def test_a_version_tells_what_its_manifest_says():
    message = convert.model_message(FakeVersion())

    assert ("de", "en", 4, 64) == (
        message.source_language_code,
        message.target_language_code,
        message.defaults.beam,
        message.max_source_tokens,
    )
    assert pb.LENGTH_NORMALISATION_AVERAGE == message.defaults.length_normalisation
    assert "exact match" == message.quality[0].metric


def test_languages_come_from_what_serves():
    languages = convert.language_list(
        [
            FakeVersion(name="b"),
            FakeVersion(name="a"),
            FakeVersion(name="c", manifest=manifest(source="en", target="fr")),
            FakeVersion(name="d", serving=False, manifest=manifest(source="xx")),
        ]
    )

    assert [("de", True, False), ("en", True, True), ("fr", False, True)] == [
        (each.language_code, each.support_source, each.support_target)
        for each in languages.languages
    ]
    assert [("de", "en", ["a", "b"]), ("en", "fr", ["c"])] == [
        (each.source_language_code, each.target_language_code, list(each.models))
        for each in languages.pairs
    ]
