"""Parley's errors as gRPC statuses: the only place where one becomes the other.

Every status carries `google.rpc` details in its trailing metadata, as clients of any language know
to read them. What is not a ParleyError becomes INTERNAL with a correlation id; its text, which may
hold a path or a user's words, goes to the log and never to the caller.
"""

import logging
import math
import uuid
from collections.abc import Sequence
from typing import NoReturn

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as details_pb2
from google.rpc import status_pb2

from service.decoding import StepFailed
from service.errors import (
    Cancelled,
    DeadlineExceeded,
    InvalidArgument,
    NotFound,
    Overloaded,
    ParleyError,
    Unavailable,
)
from service.logs import facts
from service.rpc.ports import Call

__all__ = ["CODES", "abort"]

log = logging.getLogger(__name__)

# What is missing here is our fault and becomes INTERNAL: a bundle or a setting is no caller's.
CODES: dict[type[ParleyError], grpc.StatusCode] = {
    InvalidArgument: grpc.StatusCode.INVALID_ARGUMENT,
    NotFound: grpc.StatusCode.NOT_FOUND,
    Overloaded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    DeadlineExceeded: grpc.StatusCode.DEADLINE_EXCEEDED,
    Cancelled: grpc.StatusCode.CANCELLED,
    Unavailable: grpc.StatusCode.UNAVAILABLE,
}

_RETRY_UNAVAILABLE_S = 1.0

# Status and details travel as HTTP/2 headers, of which clients accept 8 KiB: the message twice in
# the details (base64) and once percent-encoded, at up to three bytes for one.
_LONGEST_MESSAGE = 1000

_DETAILS_KEY = "grpc-status-details-bin"


async def abort(call: Call, error: BaseException) -> NoReturn:
    """End the call with the status that `error` deserves."""
    code = next((CODES[each] for each in type(error).__mro__ if each in CODES), None)
    if code is None or not isinstance(error, ParleyError):
        code, message, details = _internal(error)
    else:
        message, details = _short(str(error)), _details(error)
    await _abort(call, code, message, details)


async def _abort(
    call: Call, code: grpc.StatusCode, message: str, details: Sequence[Message]
) -> NoReturn:
    number: int = code.value[0]
    status = status_pb2.Status(code=number, message=message)
    for detail in details:
        packed = Any()
        packed.Pack(detail)
        status.details.append(packed)
    await call.abort(code, message, ((_DETAILS_KEY, status.SerializeToString()),))


def _internal(error: BaseException) -> tuple[grpc.StatusCode, str, list[Message]]:
    correlation_id = uuid.uuid4().hex
    log.error(
        "a call failed inside the server",
        exc_info=error,
        extra=facts(correlation_id=correlation_id),
    )
    message = f"internal error; the server's log tells more under correlation id {correlation_id}"
    # A model that could not be run may run the next time; anything else would fail again.
    retry = [_retry(_RETRY_UNAVAILABLE_S)] if isinstance(error, StepFailed) else []
    details = [details_pb2.RequestInfo(request_id=correlation_id), *retry]
    return grpc.StatusCode.INTERNAL, message, details


def _details(error: ParleyError) -> list[Message]:
    match error:
        case InvalidArgument():
            violation = details_pb2.BadRequest.FieldViolation(
                field=error.field, description=_short(error.message)
            )
            return [details_pb2.BadRequest(field_violations=[violation])]
        case NotFound():
            return [
                details_pb2.ResourceInfo(
                    resource_type=error.what,
                    resource_name=_short(error.name, 200),
                    description="it does not exist; the message lists what does",
                )
            ]
        case Overloaded():
            return [_retry(error.retry_after_s)]
        case Unavailable():
            return [_retry(_RETRY_UNAVAILABLE_S)]
    return []


def _retry(seconds: float) -> details_pb2.RetryInfo:
    info = details_pb2.RetryInfo()
    info.retry_delay.FromMilliseconds(max(1, math.ceil(seconds * 1000)))
    return info


def _short(text: str, limit: int = _LONGEST_MESSAGE) -> str:
    """`text` in at most `limit` bytes of UTF-8; an ellipsis marks what is left out."""
    data = text.encode("utf-8", "replace")
    if len(data) <= limit:
        return text
    return data[: limit - 3].decode("utf-8", "ignore") + "…"
