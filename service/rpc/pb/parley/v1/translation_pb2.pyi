from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LengthNormalisation(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LENGTH_NORMALISATION_UNSPECIFIED: _ClassVar[LengthNormalisation]
    LENGTH_NORMALISATION_NONE: _ClassVar[LengthNormalisation]
    LENGTH_NORMALISATION_AVERAGE: _ClassVar[LengthNormalisation]
    LENGTH_NORMALISATION_GNMT: _ClassVar[LengthNormalisation]

class FinishReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FINISH_REASON_UNSPECIFIED: _ClassVar[FinishReason]
    FINISH_REASON_STOP: _ClassVar[FinishReason]
    FINISH_REASON_LENGTH: _ClassVar[FinishReason]

class ModelState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MODEL_STATE_UNSPECIFIED: _ClassVar[ModelState]
    MODEL_STATE_NEW: _ClassVar[ModelState]
    MODEL_STATE_LOADING: _ClassVar[ModelState]
    MODEL_STATE_READY: _ClassVar[ModelState]
    MODEL_STATE_QUIESCING: _ClassVar[ModelState]
    MODEL_STATE_UNLOADED: _ClassVar[ModelState]
    MODEL_STATE_FAILED: _ClassVar[ModelState]
LENGTH_NORMALISATION_UNSPECIFIED: LengthNormalisation
LENGTH_NORMALISATION_NONE: LengthNormalisation
LENGTH_NORMALISATION_AVERAGE: LengthNormalisation
LENGTH_NORMALISATION_GNMT: LengthNormalisation
FINISH_REASON_UNSPECIFIED: FinishReason
FINISH_REASON_STOP: FinishReason
FINISH_REASON_LENGTH: FinishReason
MODEL_STATE_UNSPECIFIED: ModelState
MODEL_STATE_NEW: ModelState
MODEL_STATE_LOADING: ModelState
MODEL_STATE_READY: ModelState
MODEL_STATE_QUIESCING: ModelState
MODEL_STATE_UNLOADED: ModelState
MODEL_STATE_FAILED: ModelState

class TranslateRequest(_message.Message):
    __slots__ = ("contents", "mime_type", "source_language_code", "target_language_code", "model", "options")
    CONTENTS_FIELD_NUMBER: _ClassVar[int]
    MIME_TYPE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_LANGUAGE_CODE_FIELD_NUMBER: _ClassVar[int]
    TARGET_LANGUAGE_CODE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    contents: _containers.RepeatedScalarFieldContainer[str]
    mime_type: str
    source_language_code: str
    target_language_code: str
    model: str
    options: TranslateOptions
    def __init__(self, contents: _Optional[_Iterable[str]] = ..., mime_type: _Optional[str] = ..., source_language_code: _Optional[str] = ..., target_language_code: _Optional[str] = ..., model: _Optional[str] = ..., options: _Optional[_Union[TranslateOptions, _Mapping]] = ...) -> None: ...

class TranslateOptions(_message.Message):
    __slots__ = ("beam", "n_best", "length_normalisation", "length_penalty", "coverage_penalty", "min_length", "max_length", "token_scores", "alignments", "split_sentences", "soft_alignments", "token_reward", "repetition_penalty", "no_repeat_ngram", "forbidden_phrases", "target_prefix", "alternatives", "sampling", "required_phrases", "terminology", "whole_vocabulary")
    BEAM_FIELD_NUMBER: _ClassVar[int]
    N_BEST_FIELD_NUMBER: _ClassVar[int]
    LENGTH_NORMALISATION_FIELD_NUMBER: _ClassVar[int]
    LENGTH_PENALTY_FIELD_NUMBER: _ClassVar[int]
    COVERAGE_PENALTY_FIELD_NUMBER: _ClassVar[int]
    MIN_LENGTH_FIELD_NUMBER: _ClassVar[int]
    MAX_LENGTH_FIELD_NUMBER: _ClassVar[int]
    TOKEN_SCORES_FIELD_NUMBER: _ClassVar[int]
    ALIGNMENTS_FIELD_NUMBER: _ClassVar[int]
    SPLIT_SENTENCES_FIELD_NUMBER: _ClassVar[int]
    SOFT_ALIGNMENTS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_REWARD_FIELD_NUMBER: _ClassVar[int]
    REPETITION_PENALTY_FIELD_NUMBER: _ClassVar[int]
    NO_REPEAT_NGRAM_FIELD_NUMBER: _ClassVar[int]
    FORBIDDEN_PHRASES_FIELD_NUMBER: _ClassVar[int]
    TARGET_PREFIX_FIELD_NUMBER: _ClassVar[int]
    ALTERNATIVES_FIELD_NUMBER: _ClassVar[int]
    SAMPLING_FIELD_NUMBER: _ClassVar[int]
    REQUIRED_PHRASES_FIELD_NUMBER: _ClassVar[int]
    TERMINOLOGY_FIELD_NUMBER: _ClassVar[int]
    WHOLE_VOCABULARY_FIELD_NUMBER: _ClassVar[int]
    beam: int
    n_best: int
    length_normalisation: LengthNormalisation
    length_penalty: float
    coverage_penalty: float
    min_length: int
    max_length: int
    token_scores: bool
    alignments: bool
    split_sentences: bool
    soft_alignments: bool
    token_reward: float
    repetition_penalty: float
    no_repeat_ngram: int
    forbidden_phrases: _containers.RepeatedScalarFieldContainer[str]
    target_prefix: str
    alternatives: bool
    sampling: Sampling
    required_phrases: _containers.RepeatedScalarFieldContainer[str]
    terminology: _containers.RepeatedCompositeFieldContainer[Term]
    whole_vocabulary: bool
    def __init__(self, beam: _Optional[int] = ..., n_best: _Optional[int] = ..., length_normalisation: _Optional[_Union[LengthNormalisation, str]] = ..., length_penalty: _Optional[float] = ..., coverage_penalty: _Optional[float] = ..., min_length: _Optional[int] = ..., max_length: _Optional[int] = ..., token_scores: _Optional[bool] = ..., alignments: _Optional[bool] = ..., split_sentences: _Optional[bool] = ..., soft_alignments: _Optional[bool] = ..., token_reward: _Optional[float] = ..., repetition_penalty: _Optional[float] = ..., no_repeat_ngram: _Optional[int] = ..., forbidden_phrases: _Optional[_Iterable[str]] = ..., target_prefix: _Optional[str] = ..., alternatives: _Optional[bool] = ..., sampling: _Optional[_Union[Sampling, _Mapping]] = ..., required_phrases: _Optional[_Iterable[str]] = ..., terminology: _Optional[_Iterable[_Union[Term, _Mapping]]] = ..., whole_vocabulary: _Optional[bool] = ...) -> None: ...

class Term(_message.Message):
    __slots__ = ("source", "target")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    source: str
    target: str
    def __init__(self, source: _Optional[str] = ..., target: _Optional[str] = ...) -> None: ...

class Sampling(_message.Message):
    __slots__ = ("seed", "temperature", "top_k", "top_p")
    SEED_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    TOP_K_FIELD_NUMBER: _ClassVar[int]
    TOP_P_FIELD_NUMBER: _ClassVar[int]
    seed: int
    temperature: float
    top_k: int
    top_p: float
    def __init__(self, seed: _Optional[int] = ..., temperature: _Optional[float] = ..., top_k: _Optional[int] = ..., top_p: _Optional[float] = ...) -> None: ...

class TranslateResponse(_message.Message):
    __slots__ = ("translations",)
    TRANSLATIONS_FIELD_NUMBER: _ClassVar[int]
    translations: _containers.RepeatedCompositeFieldContainer[TranslationResult]
    def __init__(self, translations: _Optional[_Iterable[_Union[TranslationResult, _Mapping]]] = ...) -> None: ...

class TranslationResult(_message.Message):
    __slots__ = ("translated_text", "model", "hypotheses", "source_pieces", "segments", "sentence_was_cut", "timings")
    TRANSLATED_TEXT_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    HYPOTHESES_FIELD_NUMBER: _ClassVar[int]
    SOURCE_PIECES_FIELD_NUMBER: _ClassVar[int]
    SEGMENTS_FIELD_NUMBER: _ClassVar[int]
    SENTENCE_WAS_CUT_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_FIELD_NUMBER: _ClassVar[int]
    translated_text: str
    model: str
    hypotheses: _containers.RepeatedCompositeFieldContainer[Hypothesis]
    source_pieces: _containers.RepeatedScalarFieldContainer[str]
    segments: int
    sentence_was_cut: bool
    timings: Timings
    def __init__(self, translated_text: _Optional[str] = ..., model: _Optional[str] = ..., hypotheses: _Optional[_Iterable[_Union[Hypothesis, _Mapping]]] = ..., source_pieces: _Optional[_Iterable[str]] = ..., segments: _Optional[int] = ..., sentence_was_cut: _Optional[bool] = ..., timings: _Optional[_Union[Timings, _Mapping]] = ...) -> None: ...

class Hypothesis(_message.Message):
    __slots__ = ("text", "score", "log_prob", "finish_reason", "tokens")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    LOG_PROB_FIELD_NUMBER: _ClassVar[int]
    FINISH_REASON_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    text: str
    score: float
    log_prob: float
    finish_reason: FinishReason
    tokens: _containers.RepeatedCompositeFieldContainer[Token]
    def __init__(self, text: _Optional[str] = ..., score: _Optional[float] = ..., log_prob: _Optional[float] = ..., finish_reason: _Optional[_Union[FinishReason, str]] = ..., tokens: _Optional[_Iterable[_Union[Token, _Mapping]]] = ...) -> None: ...

class Token(_message.Message):
    __slots__ = ("piece", "log_prob", "source_index", "attention", "attention_start")
    PIECE_FIELD_NUMBER: _ClassVar[int]
    LOG_PROB_FIELD_NUMBER: _ClassVar[int]
    SOURCE_INDEX_FIELD_NUMBER: _ClassVar[int]
    ATTENTION_FIELD_NUMBER: _ClassVar[int]
    ATTENTION_START_FIELD_NUMBER: _ClassVar[int]
    piece: str
    log_prob: float
    source_index: int
    attention: _containers.RepeatedScalarFieldContainer[float]
    attention_start: int
    def __init__(self, piece: _Optional[str] = ..., log_prob: _Optional[float] = ..., source_index: _Optional[int] = ..., attention: _Optional[_Iterable[float]] = ..., attention_start: _Optional[int] = ...) -> None: ...

class Timings(_message.Message):
    __slots__ = ("queue_seconds", "decode_seconds", "first_token_seconds")
    QUEUE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    DECODE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    FIRST_TOKEN_SECONDS_FIELD_NUMBER: _ClassVar[int]
    queue_seconds: float
    decode_seconds: float
    first_token_seconds: float
    def __init__(self, queue_seconds: _Optional[float] = ..., decode_seconds: _Optional[float] = ..., first_token_seconds: _Optional[float] = ...) -> None: ...

class ListModelsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListModelsResponse(_message.Message):
    __slots__ = ("models",)
    MODELS_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedCompositeFieldContainer[Model]
    def __init__(self, models: _Optional[_Iterable[_Union[Model, _Mapping]]] = ...) -> None: ...

class GetModelRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class Model(_message.Message):
    __slots__ = ("name", "version", "state", "serving", "reason", "task", "source_language_code", "target_language_code", "quality", "licence", "attribution", "quantisation", "batch_invariant", "defaults", "max_source_tokens", "max_target_tokens")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    SERVING_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    SOURCE_LANGUAGE_CODE_FIELD_NUMBER: _ClassVar[int]
    TARGET_LANGUAGE_CODE_FIELD_NUMBER: _ClassVar[int]
    QUALITY_FIELD_NUMBER: _ClassVar[int]
    LICENCE_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTION_FIELD_NUMBER: _ClassVar[int]
    QUANTISATION_FIELD_NUMBER: _ClassVar[int]
    BATCH_INVARIANT_FIELD_NUMBER: _ClassVar[int]
    DEFAULTS_FIELD_NUMBER: _ClassVar[int]
    MAX_SOURCE_TOKENS_FIELD_NUMBER: _ClassVar[int]
    MAX_TARGET_TOKENS_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: int
    state: ModelState
    serving: bool
    reason: str
    task: str
    source_language_code: str
    target_language_code: str
    quality: _containers.RepeatedCompositeFieldContainer[Quality]
    licence: str
    attribution: str
    quantisation: str
    batch_invariant: bool
    defaults: DecodeDefaults
    max_source_tokens: int
    max_target_tokens: int
    def __init__(self, name: _Optional[str] = ..., version: _Optional[int] = ..., state: _Optional[_Union[ModelState, str]] = ..., serving: _Optional[bool] = ..., reason: _Optional[str] = ..., task: _Optional[str] = ..., source_language_code: _Optional[str] = ..., target_language_code: _Optional[str] = ..., quality: _Optional[_Iterable[_Union[Quality, _Mapping]]] = ..., licence: _Optional[str] = ..., attribution: _Optional[str] = ..., quantisation: _Optional[str] = ..., batch_invariant: _Optional[bool] = ..., defaults: _Optional[_Union[DecodeDefaults, _Mapping]] = ..., max_source_tokens: _Optional[int] = ..., max_target_tokens: _Optional[int] = ...) -> None: ...

class Quality(_message.Message):
    __slots__ = ("metric", "value", "signature", "dataset", "beam", "note")
    METRIC_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    BEAM_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    metric: str
    value: float
    signature: str
    dataset: str
    beam: int
    note: str
    def __init__(self, metric: _Optional[str] = ..., value: _Optional[float] = ..., signature: _Optional[str] = ..., dataset: _Optional[str] = ..., beam: _Optional[int] = ..., note: _Optional[str] = ...) -> None: ...

class DecodeDefaults(_message.Message):
    __slots__ = ("beam", "length_normalisation", "length_penalty", "coverage_penalty")
    BEAM_FIELD_NUMBER: _ClassVar[int]
    LENGTH_NORMALISATION_FIELD_NUMBER: _ClassVar[int]
    LENGTH_PENALTY_FIELD_NUMBER: _ClassVar[int]
    COVERAGE_PENALTY_FIELD_NUMBER: _ClassVar[int]
    beam: int
    length_normalisation: LengthNormalisation
    length_penalty: float
    coverage_penalty: float
    def __init__(self, beam: _Optional[int] = ..., length_normalisation: _Optional[_Union[LengthNormalisation, str]] = ..., length_penalty: _Optional[float] = ..., coverage_penalty: _Optional[float] = ...) -> None: ...

class GetSupportedLanguagesRequest(_message.Message):
    __slots__ = ("model",)
    MODEL_FIELD_NUMBER: _ClassVar[int]
    model: str
    def __init__(self, model: _Optional[str] = ...) -> None: ...

class SupportedLanguages(_message.Message):
    __slots__ = ("languages", "pairs")
    LANGUAGES_FIELD_NUMBER: _ClassVar[int]
    PAIRS_FIELD_NUMBER: _ClassVar[int]
    languages: _containers.RepeatedCompositeFieldContainer[SupportedLanguage]
    pairs: _containers.RepeatedCompositeFieldContainer[LanguagePair]
    def __init__(self, languages: _Optional[_Iterable[_Union[SupportedLanguage, _Mapping]]] = ..., pairs: _Optional[_Iterable[_Union[LanguagePair, _Mapping]]] = ...) -> None: ...

class SupportedLanguage(_message.Message):
    __slots__ = ("language_code", "support_source", "support_target")
    LANGUAGE_CODE_FIELD_NUMBER: _ClassVar[int]
    SUPPORT_SOURCE_FIELD_NUMBER: _ClassVar[int]
    SUPPORT_TARGET_FIELD_NUMBER: _ClassVar[int]
    language_code: str
    support_source: bool
    support_target: bool
    def __init__(self, language_code: _Optional[str] = ..., support_source: _Optional[bool] = ..., support_target: _Optional[bool] = ...) -> None: ...

class LanguagePair(_message.Message):
    __slots__ = ("source_language_code", "target_language_code", "models")
    SOURCE_LANGUAGE_CODE_FIELD_NUMBER: _ClassVar[int]
    TARGET_LANGUAGE_CODE_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    source_language_code: str
    target_language_code: str
    models: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, source_language_code: _Optional[str] = ..., target_language_code: _Optional[str] = ..., models: _Optional[_Iterable[str]] = ...) -> None: ...
