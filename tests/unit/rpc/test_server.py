"""The whole gRPC door, over a real connection, on models that exist only here."""

import os
import re
import threading
import time
from collections.abc import Awaitable

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from service.errors import InvalidArgument, ListenError, Overloaded
from service.metrics import Metrics, new_registry
from service.rpc.limits import Limits
from service.rpc.pb.parley.v1 import translation_pb2 as pb
from service.rpc.server import build_server, patient_threads
from tests.unit.rpc.fakes import FakeModels, FakeVersion, running, until
from tests.unit.translation.fakes import manifest


def request(*contents: str, **fields: object) -> pb.TranslateRequest:
    return pb.TranslateRequest(contents=contents, **fields)


async def failure(call: Awaitable[object]) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value


def test_threads_of_grpc_take_no_core_from_those_who_work():
    found: list[int] = []
    with patient_threads():
        thread = threading.Thread(target=lambda: found.append(os.sched_getscheduler(0)))
        thread.start()
        thread.join()

    assert [os.SCHED_BATCH] == found
    assert os.SCHED_OTHER == os.sched_getscheduler(0)


async def test_texts_are_answered_in_their_order_by_the_version_that_serves():
    async with running(FakeModels(FakeVersion(version=7))) as door:
        answer = await door.stub.Translate(request("a", "b", "c", "d"))

        assert ["A", "B", "C", "D"] == [each.translated_text for each in answer.translations]
        assert {"m/7"} == {each.model for each in answer.translations}
        await until(lambda: door.handled("OK") == 1)


async def test_a_version_is_let_go_after_the_answer_and_after_an_error():
    version = FakeVersion()
    version.translator.troubles["bad"] = ValueError("no")
    async with running(FakeModels(version)) as door:
        await door.stub.Translate(request("a"))
        await failure(door.stub.Translate(request("bad")))
        await until(lambda: version.held == 0)


async def test_a_named_version_is_asked_even_if_another_serves():
    models = FakeModels(FakeVersion(version=2), FakeVersion(version=1, serving=False))
    async with running(models) as door:
        answer = await door.stub.Translate(request("a", model="m/1"))

        assert "m/1" == answer.translations[0].model


@pytest.mark.parametrize(
    ("bad", "code", "message"),
    [
        (request(), "INVALID_ARGUMENT", "contents: is empty"),
        (request("a", " "), "INVALID_ARGUMENT", "contents[1]: is only white space"),
        (request("a" * 100_000), "INVALID_ARGUMENT", "has 100000 characters; the limit is 30000"),
        (request("a", mime_type="text/html"), "INVALID_ARGUMENT", "supported: text/plain"),
        (request("a", model="x"), "NOT_FOUND", "there is no model 'x'; available: m"),
        (request("a", model="x" * 5000), "INVALID_ARGUMENT", "NAME/VERSION"),
        (request("a", target_language_code="fr"), "INVALID_ARGUMENT", "pairs served: de -> en (m)"),
        (
            request("a", model="m", target_language_code="fr"),
            "INVALID_ARGUMENT",
            "model 'm' translates de -> en",
        ),
    ],
)
async def test_a_bad_request_gets_a_clear_status_and_the_server_goes_on(bad, code, message):
    async with running(FakeModels(FakeVersion())) as door:
        error = await failure(door.stub.Translate(bad))

        assert code == error.code().name
        assert message in error.details()
        await until(lambda: door.handled(code) == 1)
        assert "A" == (await door.stub.Translate(request("a"))).translations[0].translated_text


async def test_an_option_beyond_its_limit_is_named_as_the_caller_wrote_it():
    version = FakeVersion()
    version.translator.troubles["a"] = InvalidArgument("beam", "must be between 1 and 32, got 0")
    async with running(FakeModels(version)) as door:
        error = await failure(door.stub.Translate(request("a", "b")))

        assert "options.beam: must be between 1 and 32, got 0" == error.details()


async def test_text_that_is_not_utf8_is_an_invalid_argument_and_the_server_goes_on():
    async with running(FakeModels(FakeVersion())) as door:
        raw = door.channel.unary_unary("/parley.v1.Translation/Translate")
        error = await failure(raw(b"\x0a\x03a\xff\xfe"))

        assert grpc.StatusCode.INVALID_ARGUMENT is error.code()
        assert error.details().startswith("contents[0]: is not UTF-8: byte 0xff at offset 1")
        await until(lambda: door.handled("INVALID_ARGUMENT") == 1)
        assert "A" == (await door.stub.Translate(request("a"))).translations[0].translated_text


async def test_a_request_beyond_the_size_limit_is_answered_in_words():
    async with running(FakeModels(FakeVersion()), Limits(max_request_bytes=1000)) as door:
        error = await failure(door.stub.Translate(request("a" * 2000)))

        assert "request: has 2003 bytes; the limit is 1000. Send fewer texts at once." == (
            error.details()
        )


async def test_a_request_far_beyond_the_limit_is_not_even_read():
    async with running(FakeModels(FakeVersion()), Limits(max_request_bytes=1000)) as door:
        error = await failure(door.stub.Translate(request("a" * 20_000)))

        assert grpc.StatusCode.RESOURCE_EXHAUSTED is error.code()
        assert "A" == (await door.stub.Translate(request("a"))).translations[0].translated_text


async def test_an_unknown_error_is_internal_without_its_text():
    version = FakeVersion()
    version.translator.troubles["a"] = RuntimeError("the secret of /etc/shadow")
    async with running(FakeModels(version)) as door:
        error = await failure(door.stub.Translate(request("a")))

        assert grpc.StatusCode.INTERNAL is error.code()
        assert re.fullmatch(
            r"internal error; the server's log tells more under correlation id [0-9a-f]{32}",
            error.details(),
        )
        await until(lambda: door.handled("INTERNAL") == 1)


async def test_a_panic_is_internal_too():
    """Panics of Rust libraries arrive as a BaseException that is no Exception."""

    class Panic(BaseException):
        pass

    version = FakeVersion()
    version.translator.troubles["a"] = Panic("in Rust")
    async with running(FakeModels(version)) as door:
        error = await failure(door.stub.Translate(request("a")))

        assert grpc.StatusCode.INTERNAL is error.code()
        assert "Rust" not in error.details()


async def test_a_full_server_says_when_to_come_back():
    version = FakeVersion()
    version.translator.troubles["a"] = Overloaded("the queue is full", retry_after_s=1.5)
    async with running(FakeModels(version)) as door:
        error = await failure(door.stub.Translate(request("a")))
        status = status_pb2.Status.FromString(
            dict(error.trailing_metadata())["grpc-status-details-bin"]
        )
        retry = error_details_pb2.RetryInfo()
        status.details[0].Unpack(retry)

        assert grpc.StatusCode.RESOURCE_EXHAUSTED is error.code()
        assert 1500 == retry.retry_delay.ToMilliseconds()


async def test_nothing_ready_is_unavailable():
    async with running(FakeModels()) as door:
        error = await failure(door.stub.Translate(request("a")))

        assert grpc.StatusCode.UNAVAILABLE is error.code()


async def test_the_first_failure_cancels_the_other_texts():
    version = FakeVersion()
    version.translator.troubles["bad"] = Overloaded("full")
    async with running(FakeModels(version)) as door:
        await failure(door.stub.Translate(request("wait", "bad", "wait")))

        assert ["wait"] == sorted(set(version.translator.cancelled))


async def test_a_caller_that_goes_away_cancels_its_texts_and_is_counted():
    version = FakeVersion()
    async with running(FakeModels(version)) as door:
        call = door.stub.Translate(request("wait", "wait"))
        await until(lambda: len(version.translator.asked) == 2)
        call.cancel()
        await until(lambda: door.handled("CANCELLED"))

        await until(lambda: version.held == 0)

        assert ["wait", "wait"] == version.translator.cancelled


async def test_a_deadline_reaches_the_engine_cancels_the_text_and_is_counted():
    version = FakeVersion()
    async with running(FakeModels(version)) as door:
        start = time.monotonic()
        error = await failure(door.stub.Translate(request("wait"), timeout=0.2))
        await until(lambda: door.handled("DEADLINE_EXCEEDED"))
        (deadline,) = version.translator.deadlines

        assert grpc.StatusCode.DEADLINE_EXCEEDED is error.code()
        assert start + 0.2 == pytest.approx(deadline, abs=0.15)
        assert ["wait"] == version.translator.cancelled


async def test_a_call_without_a_deadline_gets_the_default_one():
    version = FakeVersion()
    async with running(FakeModels(version), Limits(default_deadline_seconds=0.1)) as door:
        error = await failure(door.stub.Translate(request("wait")))

        assert grpc.StatusCode.DEADLINE_EXCEEDED is error.code()
        await until(lambda: door.handled("DEADLINE_EXCEEDED") == 1)


async def test_a_deadline_in_the_past_is_exceeded_and_the_server_goes_on():
    async with running(FakeModels(FakeVersion())) as door:
        error = await failure(door.stub.Translate(request("a"), timeout=-1))

        assert grpc.StatusCode.DEADLINE_EXCEEDED is error.code()
        assert "A" == (await door.stub.Translate(request("a"))).translations[0].translated_text


async def test_models_are_listed_by_name_newest_first():
    models = FakeModels(
        FakeVersion(name="b"),
        FakeVersion(name="a", version=1, serving=False),
        FakeVersion(name="a", version=2),
    )
    async with running(models) as door:
        listed = await door.stub.ListModels(pb.ListModelsRequest())

        assert [("a", 2), ("a", 1), ("b", 1)] == [
            (each.name, each.version) for each in listed.models
        ]


@pytest.mark.parametrize(("name", "version"), [("a", 1), ("a/1", 1), ("a/2", 2), ("b", 5)])
async def test_a_model_is_the_version_that_serves_or_else_the_newest(name, version):
    models = FakeModels(
        FakeVersion(name="a", version=1),
        FakeVersion(name="a", version=2, state="failed", serving=False),
        FakeVersion(name="b", version=4, state="failed", serving=False),
        FakeVersion(name="b", version=5, state="loading", serving=False),
    )
    async with running(models) as door:
        assert version == (await door.stub.GetModel(pb.GetModelRequest(name=name))).version


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("", "INVALID_ARGUMENT", "name: is empty"),
        ("x", "NOT_FOUND", "available: m"),
        ("m/2", "NOT_FOUND", "there is no model 'm/2'; available: m/1"),
    ],
)
async def test_a_model_that_is_not_there_is_not_found(name, code, message):
    async with running(FakeModels(FakeVersion())) as door:
        error = await failure(door.stub.GetModel(pb.GetModelRequest(name=name)))

        assert code == error.code().name
        assert message in error.details()


async def test_languages_can_be_those_of_one_model():
    models = FakeModels(FakeVersion(), FakeVersion(name="fr", manifest=manifest(source="fr")))
    async with running(models) as door:
        every = await door.stub.GetSupportedLanguages(pb.GetSupportedLanguagesRequest())
        one = await door.stub.GetSupportedLanguages(pb.GetSupportedLanguagesRequest(model="fr"))

        assert ["de", "fr"] == [each.source_language_code for each in every.pairs]
        assert ["fr"] == [each.source_language_code for each in one.pairs]


async def test_every_method_is_counted_from_zero():
    async with running(FakeModels()) as door:
        assert 0 == door.handled("OK", "GetModel")
        assert 0 == door.handled("OK", "Check", "grpc.health.v1.Health")


async def test_a_port_in_use_is_said_so():
    async with running(FakeModels()) as door:
        second = build_server(FakeModels(), Metrics(new_registry()).rpc, Limits())
        with pytest.raises(ListenError, match=r"Address already in use; is another server"):
            await second.start("127.0.0.1", door.port)
        await second.stop(0)


async def test_an_address_that_is_nowhere_is_said_so():
    server = build_server(FakeModels(), Metrics(new_registry()).rpc, Limits())
    with pytest.raises(ListenError, match=r"cannot listen on 192\.0\.2\.1:0"):
        await server.start("192.0.2.1", 0)
    await server.stop(0)


async def test_stopping_lets_running_calls_finish_and_takes_no_new_ones():
    version = FakeVersion()
    async with running(FakeModels(version)) as door:
        call = door.stub.Translate(request("slow"))
        await until(lambda: version.translator.asked)
        await door.server.stop(5)

        assert "SLOW" == (await call).translations[0].translated_text
        assert (
            grpc.StatusCode.UNAVAILABLE is (await failure(door.stub.Translate(request("a")))).code()
        )
