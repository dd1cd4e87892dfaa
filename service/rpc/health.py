"""grpc.health.v1: readiness under "", "liveness", and one name per model.

The servicer of grpcio-health-checking is not used: it is born SERVING; when one of two watchers of
a service leaves, the other never hears of a change again; and its watchers keep a server from
stopping before its grace is over.
"""

import asyncio
from collections.abc import AsyncIterator

from grpc_health.v1 import health_pb2, health_pb2_grpc

from service.errors import NotFound
from service.rpc.ports import Call

__all__ = ["LIVENESS", "HealthServicer"]

LIVENESS = "liveness"
READINESS = ""

_Status = health_pb2.HealthCheckResponse


class HealthServicer(health_pb2_grpc.HealthServicer):
    """Knows who is serving; never waits for anything but a change. For one event loop."""

    def __init__(self) -> None:
        self._serving = {READINESS: False, LIVENESS: True}
        self._draining = False
        self._closed = False
        self._changed = asyncio.Event()

    def set_serving(self, service: str, serving: bool) -> None:  # noqa: FBT001 - the fact itself
        """Set what is told of `service`; without effect once draining, except for liveness."""
        self._serving[service] = serving and (service == LIVENESS or not self._draining)
        self._wake()

    def drain(self) -> None:
        """Nothing is SERVING any more, and never again, but the process is alive."""
        self._draining = True
        for service in self._serving:
            self._serving[service] = service == LIVENESS and self._serving[service]
        self._wake()

    def close(self) -> None:
        """Let every watcher go."""
        self._closed = True
        self._wake()

    async def Check(  # noqa: N802 - the names of methods are given by the proto
        self, request: health_pb2.HealthCheckRequest, _call: Call
    ) -> health_pb2.HealthCheckResponse:
        """The status of a service now; NOT_FOUND for one that was never heard of."""
        if request.service not in self._serving:
            known = (service for service in self._serving if service)
            raise NotFound("service", request.service, known)
        return _Status(status=self._status(request.service))

    async def Watch(  # noqa: N802 - the protocol's name
        self, request: health_pb2.HealthCheckRequest, _call: Call
    ) -> AsyncIterator[health_pb2.HealthCheckResponse]:
        """The status of a service now, and at every change."""
        told = -1
        while not self._closed:
            changed = self._changed
            status = self._status(request.service)
            if status != told:
                told = status
                yield _Status(status=status)
            await changed.wait()

    def _status(self, service: str) -> int:
        if service not in self._serving:
            return _Status.SERVICE_UNKNOWN
        return _Status.SERVING if self._serving[service] else _Status.NOT_SERVING

    def _wake(self) -> None:
        """Wake the watchers of now; those to come wait for the next change."""
        self._changed.set()
        self._changed = asyncio.Event()
