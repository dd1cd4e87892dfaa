"""Protobuf messages to Parley's values and back; the way in is where requests are checked."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from google.protobuf.message import Message

from service.decoding import FinishReason, LengthNormalisation, SamplingOptions
from service.errors import InvalidArgument
from service.rpc.limits import Limits
from service.rpc.pb.parley.v1 import translation_pb2 as pb
from service.rpc.ports import VersionStatus
from service.rpc.selection import Languages, ModelRef, parse_languages, parse_model, serving
from service.translation import Term, TextHypothesis, TranslateOptions, Translation

__all__ = [
    "Order",
    "language_list",
    "model_message",
    "order_from",
    "response_message",
]

MIME_TYPES = ("text/plain",)

_SHORT = 256  # longer terms have phrases, which are less likely to come again

_NORMALISATIONS: dict[pb.LengthNormalisation, LengthNormalisation | None] = {
    pb.LENGTH_NORMALISATION_UNSPECIFIED: None,
    pb.LENGTH_NORMALISATION_NONE: "none",
    pb.LENGTH_NORMALISATION_AVERAGE: "average",
    pb.LENGTH_NORMALISATION_GNMT: "gnmt",
}
_NORMALISATION_ENUM = {name: number for number, name in _NORMALISATIONS.items()}

_PLAIN_OPTIONS = (
    "beam",
    "n_best",
    "length_penalty",
    "coverage_penalty",
    "min_length",
    "max_length",
    "split_sentences",
    "token_reward",
    "repetition_penalty",
    "no_repeat_ngram",
)
_SAMPLING_OPTIONS = ("seed", "temperature", "top_k", "top_p")

_FINISH_REASONS = {
    FinishReason.STOP: pb.FINISH_REASON_STOP,
    FinishReason.LENGTH: pb.FINISH_REASON_LENGTH,
}


class Order(NamedTuple):
    """A request to translate that has been found legal, as far as it can be without a model."""

    texts: tuple[str, ...]
    model: ModelRef | None
    languages: Languages
    options: TranslateOptions


def order_from(request: pb.TranslateRequest, limits: Limits) -> Order:
    """What the request asks for. Raises InvalidArgument naming the field, the limit, the value."""
    texts = tuple(request.contents)
    spelt = request.options.SerializeToString() if request.HasField("options") else b""
    words = (
        request.mime_type,
        request.model,
        request.source_language_code,
        request.target_language_code,
    )
    # Callers tend to ask for the same with every text.
    read = _known_terms if len(spelt) + sum(map(len, words)) <= _SHORT else _terms
    model, languages, options = read(*words, spelt)
    _check_contents(texts, limits)
    return Order(texts, model, languages, options)


def _terms(
    mime_type: str, model: str, source: str, target: str, options: bytes
) -> tuple[ModelRef | None, Languages, TranslateOptions]:
    """All that a request asks for beside its texts."""
    if mime_type not in ("", *MIME_TYPES):
        raise InvalidArgument(
            "mime_type",
            f"'{mime_type[:60]}' is not supported; supported: {', '.join(MIME_TYPES)}",
        )
    return (
        parse_model("model", model),
        parse_languages(source, target),
        _options(pb.TranslateOptions.FromString(options)),
    )


_known_terms = lru_cache(maxsize=256)(_terms)


def _check_contents(texts: Sequence[str], limits: Limits) -> None:
    if not texts:
        raise InvalidArgument("contents", "is empty; give at least one text to translate")
    if len(texts) > limits.max_contents:
        raise InvalidArgument(
            "contents",
            f"has {len(texts)} texts; the limit is {limits.max_contents}. Send them in parts.",
        )
    for index, text in enumerate(texts):
        if len(text) > limits.max_text_chars:
            raise InvalidArgument(
                f"contents[{index}]",
                f"has {len(text)} characters; the limit is {limits.max_text_chars}. "
                "Send it in parts.",
            )
        if not text or text.isspace():
            what = "only white space" if text else "empty"
            raise InvalidArgument(f"contents[{index}]", f"is {what}; there is nothing to translate")


def _options(options: pb.TranslateOptions) -> TranslateOptions:
    if options.length_normalisation not in _NORMALISATIONS:
        raise InvalidArgument(
            "options.length_normalisation",
            f"{options.length_normalisation} is unknown; known: "
            f"{', '.join(pb.LengthNormalisation.keys())}",
        )

    # A field that is not set reads as 0, which is a value of its own: only what is set counts.
    given = _set_fields(options, _PLAIN_OPTIONS)
    return TranslateOptions(
        length_normalisation=_NORMALISATIONS[options.length_normalisation],
        token_scores=options.token_scores,
        alignments=options.alignments,
        soft_alignments=options.soft_alignments,
        forbidden_phrases=tuple(options.forbidden_phrases),
        target_prefix=options.target_prefix,
        required_phrases=tuple(options.required_phrases),
        terminology=tuple(Term(each.source, each.target) for each in options.terminology),
        alternatives=options.alternatives,
        whole_vocabulary=options.whole_vocabulary,
        sampling=(
            SamplingOptions(**_set_fields(options.sampling, _SAMPLING_OPTIONS))
            if options.HasField("sampling")
            else None
        ),
        **given,
    )


def _set_fields(message: Message, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(message, name) for name in names if message.HasField(name)}


def response_message(translations: Iterable[Translation], model: str) -> pb.TranslateResponse:
    """The answers to all texts, in order. `model` is "NAME/VERSION".

    Written in place: messages made first and handed over would be copied, in three times the time.
    """
    response = pb.TranslateResponse()
    for translation in translations:
        result = response.translations.add()
        result.translated_text = translation.text
        result.model = model
        for hypothesis in translation.hypotheses:
            _write_hypothesis(result.hypotheses.add(), hypothesis)
        result.source_pieces.extend(translation.source_pieces)
        result.segments = translation.segments
        result.sentence_was_cut = translation.sentence_was_cut
        timings = result.timings
        timings.queue_seconds = translation.queue_seconds
        timings.decode_seconds = translation.decode_seconds
        timings.first_token_seconds = translation.first_token_seconds
    return response


def _write_hypothesis(message: pb.Hypothesis, hypothesis: TextHypothesis) -> None:
    message.text = hypothesis.text
    message.score = hypothesis.score
    message.log_prob = hypothesis.log_prob
    message.finish_reason = _FINISH_REASONS[hypothesis.finish_reason]
    for each in hypothesis.tokens:
        token = message.tokens.add()
        token.piece = each.piece
        token.log_prob = each.log_prob
        if each.source_index is not None:
            token.source_index = each.source_index
        token.attention.extend(each.attention)
        token.attention_start = each.attention_start


def model_message(status: VersionStatus) -> pb.Model:
    """One line of the list of models; what its manifest says, once that could be read."""
    message = pb.Model(
        name=status.name,
        version=status.version,
        state=f"MODEL_STATE_{status.state.upper()}",
        serving=status.serving,
        reason=status.reason,
    )
    manifest = status.manifest
    if manifest is None:
        return message
    message.task = manifest.task
    message.source_language_code = manifest.source_language
    message.target_language_code = manifest.target_language
    message.licence = manifest.provenance.licence
    message.attribution = manifest.provenance.attribution
    message.quantisation = manifest.quantisation.scheme
    message.batch_invariant = manifest.quantisation.batch_invariant
    message.max_source_tokens = manifest.limits.max_source_tokens
    message.max_target_tokens = manifest.limits.max_target_tokens
    message.defaults.beam = manifest.decoding.beam
    message.defaults.length_normalisation = _NORMALISATION_ENUM[
        manifest.decoding.length_normalisation
    ]
    message.defaults.length_penalty = manifest.decoding.length_penalty
    message.defaults.coverage_penalty = manifest.decoding.coverage_penalty
    message.quality.extend(
        pb.Quality(
            metric=each.metric,
            value=each.value,
            signature=each.signature,
            dataset=each.dataset,
            beam=each.beam,
            note=each.note,
        )
        for each in manifest.quality
    )
    return message


def language_list(versions: Iterable[VersionStatus]) -> pb.SupportedLanguages:
    """What the serving ones among `versions` read and write."""
    pairs: dict[tuple[str, str], list[str]] = {}
    for name, manifest in serving(versions):
        pair = manifest.source_language, manifest.target_language
        pairs.setdefault(pair, []).append(name)
    sources = {source for source, _ in pairs}
    targets = {target for _, target in pairs}
    return pb.SupportedLanguages(
        languages=[
            pb.SupportedLanguage(
                language_code=code, support_source=code in sources, support_target=code in targets
            )
            for code in sorted(sources | targets)
        ],
        pairs=[
            pb.LanguagePair(
                source_language_code=source, target_language_code=target, models=sorted(models)
            )
            for (source, target), models in sorted(pairs.items())
        ],
    )
