"""What both clients have in common: how a request is built, and how a failure reads."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, TypedDict

import grpc
from google.protobuf import json_format
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from service.errors import ParleyError
from service.rpc.pb.parley.v1 import translation_pb2 as pb

__all__ = [
    "DEFAULT_SERVER",
    "CallFailed",
    "Model",
    "Options",
    "Sampling",
    "TranslationResult",
    "as_dict",
    "channel_options",
    "failure",
    "request",
]

DEFAULT_SERVER = "127.0.0.1:50051"

Model = pb.Model
TranslationResult = pb.TranslationResult

_DETAILS_KEY = "grpc-status-details-bin"


class Sampling(TypedDict, total=False):
    """How to draw tokens; the meaning of each is told in proto/parley/v1."""

    seed: int
    temperature: float
    top_k: int
    top_p: float


class Options(TypedDict, total=False):
    """What may accompany a text; the meaning of each is told in proto/parley/v1."""

    model: str
    source_language_code: str
    target_language_code: str
    mime_type: str
    beam: int
    n_best: int
    length_normalisation: pb.LengthNormalisation | str
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
    forbidden_phrases: Sequence[str]
    target_prefix: str
    required_phrases: Sequence[str]
    terminology: Mapping[str, str]
    alternatives: bool
    sampling: Sampling
    whole_vocabulary: bool


class CallFailed(ParleyError):
    """A call that did not succeed.

    `code` is the name of the gRPC status; `field` is the culprit of an INVALID_ARGUMENT;
    `retry_after_s` is set when the server asks to try again after so many seconds.
    """

    def __init__(
        self, message: str, *, code: str, field: str = "", retry_after_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.field = field
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


class _RpcFailure(Protocol):
    """What the errors of both gRPC stacks can tell."""

    def code(self) -> grpc.StatusCode: ...
    def details(self) -> str | None: ...
    def trailing_metadata(self) -> Iterable[Any] | None: ...


def request(texts: Sequence[str], options: Mapping[str, object]) -> pb.TranslateRequest:
    """The message that asks for `texts` to be translated.

    Raises CallFailed for what no message can hold, such as a beam of 10**12 or half a character.
    """
    outer = {"model", "source_language_code", "target_language_code", "mime_type"}
    for index, text in enumerate(texts):
        if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
            raise CallFailed(
                "holds a lone surrogate, which is no text",
                code="INVALID_ARGUMENT",
                field=f"contents[{index}]",
            )
    message = pb.TranslateRequest(contents=texts)
    for name, value in options.items():
        try:
            _set(message if name in outer else message.options, name, value)
        except (ValueError, UnicodeError) as error:
            raise CallFailed(str(error), code="INVALID_ARGUMENT", field=name) from None
    return message


def _set(message: Message, name: str, value: Any) -> None:
    """Set a field of any kind: one value, several, or the fields of a message."""
    if name == "terminology":
        terms = [pb.Term(source=source, target=target) for source, target in value.items()]
        getattr(message, name).extend(terms)
    elif isinstance(value, Mapping):
        part = getattr(message, name)
        part.SetInParent()  # {} asks for it with every default
        for inner, each in value.items():
            setattr(part, inner, each)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        getattr(message, name).extend(value)
    else:
        setattr(message, name, _enum(value) if name == "length_normalisation" else value)


def _enum(value: object) -> object:
    """The number of a length normalisation, which may be given by its short name."""
    if isinstance(value, str):
        return pb.LengthNormalisation.Value(f"LENGTH_NORMALISATION_{value.upper()}")
    return value


def failure(error: _RpcFailure, server: str) -> CallFailed:
    """The failure that a gRPC error stands for, in words for whoever made the call."""
    code, message = error.code(), error.details() or ""
    packed = dict(error.trailing_metadata() or ()).get(_DETAILS_KEY)
    if packed is None and code is grpc.StatusCode.UNAVAILABLE:
        reason = message.rsplit(": ", 1)[-1].strip("[](){} ")
        message = (
            f"no Parley server answers at {server} ({reason}); "
            "start one with `parley serve`, or name another"
        )
    if packed is None and code is grpc.StatusCode.DEADLINE_EXCEEDED:
        message = f"{server} did not answer in time"
    failed = CallFailed(message or code.name, code=code.name)
    if isinstance(packed, bytes):
        _read_details(packed, failed)
    return failed


def as_dict(message: Message, *, with_defaults: bool = False) -> dict[str, Any]:
    """A message as plain values for JSON, by the names of the proto; enums are their names.

    `with_defaults` also shows what is empty, 0 or false.
    """
    return json_format.MessageToDict(
        message,
        preserving_proto_field_name=True,
        always_print_fields_with_no_presence=with_defaults,
    )


def channel_options() -> list[tuple[str, int]]:
    """Channel settings: answers may be as large as they are (n-best lists, alignments)."""
    return [("grpc.max_receive_message_length", -1)]


def _read_details(packed: bytes, failed: CallFailed) -> None:
    bad_request = error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    for detail in status_pb2.Status.FromString(packed).details:
        if detail.Unpack(bad_request) and bad_request.field_violations:
            violation = bad_request.field_violations[0]
            failed.field, failed.message = violation.field, violation.description
        elif detail.Unpack(retry):
            failed.retry_after_s = retry.retry_delay.ToMilliseconds() / 1000
