"""Both clients, over a real connection."""

import asyncio

import pytest

from service.client import AsyncClient, CallFailed, Client
from service.client.messages import request
from service.errors import InvalidArgument, Overloaded
from service.rpc.pb.parley.v1 import translation_pb2 as pb
from tests.unit.rpc.fakes import FakeModels, FakeVersion, running, until


@pytest.fixture(params=["blocking", "asyncio"])
async def client(request):
    """A client of either kind on a server of its own; every method is awaited."""
    version = FakeVersion()
    async with running(FakeModels(version)) as door:
        server = f"127.0.0.1:{door.port}"
        if request.param == "asyncio":
            async with AsyncClient(server) as found:
                found.version = version
                yield found
        else:
            with Client(server) as found:
                yield Threaded(found, version)


class Threaded:
    """A blocking client whose calls are awaited, since the server shares the loop of the test."""

    def __init__(self, client: Client, version: FakeVersion) -> None:
        self.client = client
        self.version = version

    def __getattr__(self, name: str):
        method = getattr(self.client, name)
        return lambda *args, **options: asyncio.to_thread(method, *args, **options)


async def test_a_text_is_translated(client):
    assert "HALLO" == (await client.translate("Hallo")).translated_text


async def test_texts_are_translated_in_order(client):
    answers = await client.translate_all(["a", "b", "c"], model="m", beam=2)

    assert ["A", "B", "C"] == [each.translated_text for each in answers]
    assert {2} == {options.beam for _, options in client.version.translator.asked}


async def test_models_and_languages_are_listed(client):
    assert ["m"] == [each.name for each in await client.models()]
    assert ["de"] == [each.source_language_code for each in (await client.languages()).pairs]


async def test_a_failure_names_code_and_field(client):
    client.version.translator.troubles["a"] = InvalidArgument("beam", "must be at most 32, got 99")
    with pytest.raises(CallFailed) as caught:
        await client.translate("a", beam=99)

    assert ("INVALID_ARGUMENT", "options.beam", "options.beam: must be at most 32, got 99") == (
        caught.value.code,
        caught.value.field,
        str(caught.value),
    )


async def test_a_server_that_stays_full_is_given_up(client):
    client.version.translator.troubles["a"] = Overloaded("full", 0.001)
    with pytest.raises(CallFailed, match="full") as caught:
        await client.translate("a")

    assert 0.001 == caught.value.retry_after_s
    assert 5 == len(client.version.translator.asked)


async def test_an_unknown_option_is_a_mistake_of_the_program(client):
    with pytest.raises(AttributeError, match="bream"):
        await client.translate("a", bream=3)


async def test_no_server_is_said_so():
    async with AsyncClient("127.0.0.1:1") as client:
        with pytest.raises(CallFailed, match=r"no Parley server answers at 127\.0\.0\.1:1"):
            await client.models()


async def test_a_late_answer_is_said_so():
    async with (
        running(FakeModels(FakeVersion())) as door,
        AsyncClient(f"127.0.0.1:{door.port}", timeout=0.1) as client,
    ):
        with pytest.raises(CallFailed) as caught:
            await client.translate("wait")

    assert "DEADLINE_EXCEEDED" == caught.value.code


async def test_cancelling_a_call_stops_its_work_in_the_server():
    version = FakeVersion()
    async with (
        running(FakeModels(version)) as door,
        AsyncClient(f"127.0.0.1:{door.port}") as client,
    ):
        task = asyncio.create_task(client.translate("wait"))
        await until(lambda: version.translator.asked)
        task.cancel()
        await until(lambda: version.translator.cancelled)


def test_options_go_where_the_proto_has_them():
    message = request(["a"], {"model": "m", "beam": 3, "length_normalisation": "gnmt"})

    assert (
        pb.TranslateRequest(
            contents=["a"],
            model="m",
            options=pb.TranslateOptions(beam=3, length_normalisation=pb.LENGTH_NORMALISATION_GNMT),
        )
        == message
    )


def test_options_of_several_parts_go_where_the_proto_has_them():
    message = request(
        ["a"],
        {
            "forbidden_phrases": ["b", "c"],
            "terminology": {"d": "e"},
            "sampling": {"seed": 7, "top_p": 0.5},
        },
    )

    assert (
        pb.TranslateOptions(
            forbidden_phrases=["b", "c"],
            terminology=[pb.Term(source="d", target="e")],
            sampling=pb.Sampling(seed=7, top_p=0.5),
        )
        == message.options
    )
    assert request(["a"], {"sampling": {}}).options.HasField("sampling")


@pytest.mark.parametrize(
    ("texts", "options", "field"),
    [
        (["a", "b\ud800"], {}, "contents[1]"),
        (["a"], {"beam": 10**12}, "beam"),
        (["a"], {"length_normalisation": "median"}, "length_normalisation"),
        (["a"], {"sampling": {"seed": 2**63}}, "sampling"),
        (["a"], {"forbidden_phrases": ["b\ud800"]}, "forbidden_phrases"),
        (["a"], {"target_prefix": "b\ud800"}, "target_prefix"),
    ],
)
def test_what_no_message_can_hold_is_refused_at_once(texts, options, field):
    with pytest.raises(CallFailed) as caught:
        request(texts, options)

    assert ("INVALID_ARGUMENT", field) == (caught.value.code, caught.value.field)
