"""Errors become statuses, with details that clients of any language can read."""

import logging

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from service import errors
from service.bundle import BundleError
from service.errors import (
    DeadlineExceeded,
    InvalidArgument,
    NotFound,
    Overloaded,
    ParleyError,
    Unavailable,
)
from service.rpc.status import CODES, abort


class Aborted(Exception):
    pass


class Call:
    """A call that keeps what it was aborted with."""

    code: grpc.StatusCode
    message: str
    status: status_pb2.Status

    async def abort(self, code, details="", trailing_metadata=()):
        self.code, self.message = code, details
        ((key, packed),) = trailing_metadata
        assert "grpc-status-details-bin" == key
        self.size = len(packed)
        self.status = status_pb2.Status.FromString(packed)
        raise Aborted

    def detail(self, kind):
        for each in self.status.details:
            found = kind()
            if each.Unpack(found):
                return found
        return None


async def aborted(error: BaseException) -> Call:
    call = Call()
    with pytest.raises(Aborted):
        await abort(call, error)
    assert (call.code.value[0], call.message) == (call.status.code, call.status.message)
    return call


def test_every_error_a_caller_can_cause_has_a_status():
    """Only what is the server's own fault is left to INTERNAL."""
    tree = {getattr(errors, name) for name in errors.__all__} - {ParleyError}

    assert {errors.ListenError, errors.SettingsError} == tree - set(CODES)


async def test_an_invalid_argument_names_its_field():
    call = await aborted(InvalidArgument("contents[3]", "has 9 characters; the limit is 8"))
    (violation,) = call.detail(error_details_pb2.BadRequest).field_violations

    assert grpc.StatusCode.INVALID_ARGUMENT is call.code
    assert "contents[3]: has 9 characters; the limit is 8" == call.message
    assert ("contents[3]", "has 9 characters; the limit is 8") == (
        violation.field,
        violation.description,
    )


async def test_what_is_not_found_lists_what_is_there():
    call = await aborted(NotFound("model", "x", ["b", "a"]))
    resource = call.detail(error_details_pb2.ResourceInfo)

    assert grpc.StatusCode.NOT_FOUND is call.code
    assert "there is no model 'x'; available: a, b" == call.message
    assert ("model", "x") == (resource.resource_type, resource.resource_name)


async def test_an_overloaded_server_says_when_to_come_back():
    call = await aborted(Overloaded("the queue is full", retry_after_s=0.25))

    assert grpc.StatusCode.RESOURCE_EXHAUSTED is call.code
    assert 250 == call.detail(error_details_pb2.RetryInfo).retry_delay.ToMilliseconds()


async def test_an_unavailable_server_does_too():
    call = await aborted(Unavailable("draining"))

    assert grpc.StatusCode.UNAVAILABLE is call.code
    assert call.detail(error_details_pb2.RetryInfo) is not None


async def test_a_late_answer_is_deadline_exceeded():
    assert grpc.StatusCode.DEADLINE_EXCEEDED is (await aborted(DeadlineExceeded())).code


@pytest.mark.parametrize(
    "error", [ValueError("/secret/path"), BundleError("/secret/path", ["broken"]), KeyError("x")]
)
async def test_an_unknown_error_keeps_its_text_for_the_log(error, caplog):
    with caplog.at_level(logging.ERROR):
        call = await aborted(error)
    request_id = call.detail(error_details_pb2.RequestInfo).request_id
    (record,) = caplog.records

    assert grpc.StatusCode.INTERNAL is call.code
    assert "secret" not in str(call.status)
    assert request_id in call.message
    assert {"correlation_id": request_id} == record.facts
    assert error is record.exc_info[1]


@pytest.mark.parametrize("char", ["x", "ü", "語", "😀"])
async def test_a_long_message_still_fits_into_the_headers_that_clients_accept(char):
    """8 KiB, of which percent-encoding takes three bytes for one and base64 four for three."""
    call = await aborted(NotFound("model", char * 10_000, ["a"]))

    assert 3 * len(call.message.encode()) + call.size * 4 / 3 < 8000
