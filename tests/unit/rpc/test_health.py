"""Health and reflection, over a real connection."""

import asyncio

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from tests.unit.rpc.fakes import FakeModels, Running, running, until


async def status(door: Running, service: str = "") -> str:
    stub = health_pb2_grpc.HealthStub(door.channel)
    answer = await stub.Check(health_pb2.HealthCheckRequest(service=service))
    return health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)


def watch(door: Running, service: str = ""):
    stub = health_pb2_grpc.HealthStub(door.channel)
    return stub.Watch(health_pb2.HealthCheckRequest(service=service))


async def seen(stream) -> str:
    async with asyncio.timeout(5):
        answer = await stream.read()
    return health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)


async def test_a_fresh_server_lives_but_is_not_ready():
    async with running(FakeModels()) as door:
        assert "NOT_SERVING" == await status(door)
        assert "SERVING" == await status(door, "liveness")


async def test_readiness_and_models_are_what_they_are_set_to():
    async with running(FakeModels()) as door:
        door.server.set_serving("", True)
        door.server.set_serving("m", True)
        door.server.set_serving("n", False)

        assert ["SERVING", "SERVING", "NOT_SERVING"] == [
            await status(door, each) for each in ("", "m", "n")
        ]


async def test_a_service_that_was_never_heard_of_is_not_found():
    async with running(FakeModels()) as door:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await status(door, "nobody")

        assert grpc.StatusCode.NOT_FOUND is caught.value.code()
        await until(lambda: door.handled("NOT_FOUND", "Check", "grpc.health.v1.Health") == 1)


async def test_a_draining_server_lives_and_is_never_ready_again():
    async with running(FakeModels()) as door:
        for service in ("", "m"):
            door.server.set_serving(service, True)
        door.server.drain()
        for service in ("", "m", "late"):
            door.server.set_serving(service, True)

        assert ["NOT_SERVING"] * 3 == [await status(door, each) for each in ("", "m", "late")]
        assert "SERVING" == await status(door, "liveness")


async def test_watchers_hear_of_every_change_even_when_another_leaves():
    async with running(FakeModels()) as door:
        first, second = watch(door), watch(door)
        assert ["NOT_SERVING"] * 2 == [await seen(first), await seen(second)]
        first.cancel()
        door.server.set_serving("", True)

        assert "SERVING" == await seen(second)


async def test_a_watcher_of_something_unknown_hears_when_it_comes():
    async with running(FakeModels()) as door:
        stream = watch(door, "m")
        assert "SERVICE_UNKNOWN" == await seen(stream)
        door.server.set_serving("m", True)

        assert "SERVING" == await seen(stream)


async def test_watchers_do_not_keep_a_server_from_stopping():
    async with running(FakeModels()) as door:
        stream = watch(door)
        await seen(stream)
        async with asyncio.timeout(5):
            await door.server.stop(60)

        assert grpc.aio.EOF is await stream.read()


async def test_reflection_lists_the_services_and_describes_them():
    async with running(FakeModels()) as door:
        stub = reflection_pb2_grpc.ServerReflectionStub(door.channel)

        async def ask(**fields: str):
            call = stub.ServerReflectionInfo()
            await call.write(reflection_pb2.ServerReflectionRequest(**fields))
            return await call.read()

        listed = await ask(list_services="")
        described = await ask(file_containing_symbol="parley.v1.Translation")

        assert {
            "parley.v1.Translation",
            "grpc.health.v1.Health",
            "grpc.reflection.v1alpha.ServerReflection",
        } == {each.name for each in listed.list_services_response.service}
        assert 1 == len(described.file_descriptor_response.file_descriptor_proto)
