"""The assembly of the gRPC server: servicers, interceptors, health, reflection, HTTP/2 settings."""

import contextlib
import os
import socket
from collections.abc import Iterator
from typing import Any

import grpc
from google.protobuf.descriptor import Descriptor
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc

from service.errors import ListenError
from service.metrics import RpcMethod
from service.rpc.calls import Registrar, shape
from service.rpc.health import HealthServicer
from service.rpc.limits import Limits
from service.rpc.pb.parley.v1 import translation_pb2, translation_pb2_grpc
from service.rpc.ports import CallMetrics, Models
from service.rpc.servicer import TranslationServicer

__all__ = ["RpcServer", "build_server", "patient_threads"]

# Two spellings of one class for the type checker, hence Any.
_SERVICES: list[Any] = [
    translation_pb2.DESCRIPTOR.services_by_name["Translation"],
    health_pb2.DESCRIPTOR.services_by_name["Health"],
    reflection_pb2.DESCRIPTOR.services_by_name["ServerReflection"],
]


def build_server(
    models: Models, metrics: CallMetrics, limits: Limits, default_model: str = ""
) -> "RpcServer":
    """The gRPC door, wired and not yet listening."""
    metrics.declare(_methods())
    return RpcServer(TranslationServicer(models, limits, default_model), metrics, limits)


class RpcServer:
    """Start, health, drain and stop of the gRPC door; for one event loop."""

    def __init__(self, servicer: TranslationServicer, metrics: CallMetrics, limits: Limits) -> None:
        self._servicer = servicer
        self._metrics = metrics
        self._limits = limits
        self._health = HealthServicer()
        self._server: grpc.aio.Server | None = None

    async def start(self, host: str, port: int) -> int:
        """Open the address and accept calls; returns the bound port (port 0 = a free one).

        Health is NOT_SERVING, except "liveness", until `set_serving` says otherwise.
        Raises ListenError when the address cannot be opened.
        """
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        _probe(host, port, address)
        with patient_threads():
            server = self._assemble()
            try:
                bound = server.add_insecure_port(address)
            except RuntimeError:
                raise ListenError(address, "gRPC could not open it") from None
            await server.start()
        self._server = server
        return bound

    def set_serving(self, service: str, serving: bool) -> None:  # noqa: FBT001 - the fact itself
        """Set the health of `service`: "" is readiness; a model has its own name."""
        self._health.set_serving(service, serving)

    def drain(self) -> None:
        """Report NOT_SERVING for good (liveness excepted); calls are still accepted."""
        self._health.drain()

    async def stop(self, grace_seconds: float) -> None:
        """Refuse new calls, let running ones finish for `grace_seconds`, cancel the rest."""
        self._health.drain()
        self._health.close()
        if self._server is not None:
            await self._server.stop(grace_seconds)

    def _assemble(self) -> grpc.aio.Server:
        server = grpc.aio.server(options=_options(self._limits))
        limit = self._limits.max_request_bytes
        # As good as a server to those who only register, but no subclass of one.
        registrar: Any = Registrar(server, self._metrics, _requests(), limit)
        translation_pb2_grpc.add_TranslationServicer_to_server(self._servicer, registrar)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, registrar)
        reflector = reflection.aio.ReflectionServicer([each.full_name for each in _SERVICES])
        reflection_pb2_grpc.add_ServerReflectionServicer_to_server(reflector, registrar)  # type: ignore[no-untyped-call]  # generated without types
        return server


@contextlib.contextmanager
def patient_threads() -> Iterator[None]:
    """Have threads that begin here, and theirs, wait for their turn when they wake.

    gRPC has a thread that does nothing but tell the loop of every event, four for each call, and
    others that read and write. At once each would take the core from the loop or the decoding
    thread, which lose their caches. Told a moment later, the loop gets several events for the
    price of one (measured beside decoding, one core: three switches a call less and a tenth of
    the CPU time).
    """
    policy = os.sched_getscheduler(0)
    if policy != os.SCHED_OTHER:  # somebody knows better
        yield
        return
    ordinary = os.sched_getparam(0)
    with contextlib.suppress(OSError):  # not everywhere allowed, and not needed anywhere
        os.sched_setscheduler(0, os.SCHED_BATCH, ordinary)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, policy, ordinary)


def _probe(host: str, port: int, address: str) -> None:
    """Open the address for a moment, since gRPC does not tell why it could not.

    Raises ListenError in the words of the system.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, place in found[:1]:
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(place)
                probe.listen(1)
    except OSError as error:
        reason = error.strerror or str(error)
        hint = "; is another server running there?" if "in use" in reason else ""
        raise ListenError(address, f"{reason}{hint}") from None


def _requests() -> dict[str, Descriptor]:
    """The requests of the methods that take one message, by the path of the method."""
    return {
        f"/{service.full_name}/{method.name}": method.input_type
        for service in _SERVICES
        for method in service.methods
        if not method.client_streaming
    }


def _methods() -> list[RpcMethod]:
    return [
        RpcMethod(
            shape(method.client_streaming, method.server_streaming), service.full_name, method.name
        )
        for service in _SERVICES
        for method in service.methods
    ]


def _options(limits: Limits) -> list[tuple[str, int]]:
    """HTTP/2 and message settings; https://grpc.github.io/grpc/core/group__grpc__arg__keys.html."""
    options = [
        # A second server on the same port must fail, not silently take half of the calls.
        ("grpc.so_reuseport", 0),
        # Beyond the limit that is answered in words there is one that protects the memory.
        ("grpc.max_receive_message_length", 8 * limits.max_request_bytes),
        ("grpc.max_send_message_length", -1),
        # Notice clients that vanished without a word; allow those that ask the same of us.
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ]
    if limits.max_connection_age_seconds:
        options += [
            ("grpc.max_connection_age_ms", int(limits.max_connection_age_seconds * 1000)),
            # Calls that run when a connection comes of age may take as long as any other.
            (
                "grpc.max_connection_age_grace_ms",
                int(limits.default_deadline_seconds * 1000),
            ),
        ]
    return options
