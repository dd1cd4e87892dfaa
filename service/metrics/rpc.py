"""Calls of gRPC methods, counted as go-grpc-prometheus counts them."""

from collections.abc import Iterable
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Histogram

from service.metrics.buckets import CALL_BUCKETS
from service.notes import Notes

_CODES = (
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
    "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED",
    "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
)  # fmt: skip
# gRPC's status names, and how go-grpc-prometheus spells them in `grpc_code`, and with it every
# dashboard and alert rule that exists: InvalidArgument, but OK, and Canceled with one l.
GRPC_CODES = {name: name.title().replace("_", "") for name in _CODES}
GRPC_CODES |= {"OK": "OK", "CANCELLED": "Canceled"}

_METHOD = ("grpc_type", "grpc_service", "grpc_method")


class RpcMethod(NamedTuple):
    """One method of a gRPC service, as the labels name it."""

    type: str  # "unary", "client_stream", "server_stream" or "bidi_stream"
    service: str  # "parley.v1.Translation"
    method: str  # "Translate"


UNKNOWN_METHOD = RpcMethod("unary", "unknown", "unknown")
"""Counts every method that nobody declared: those names are the caller's choice, not ours."""


class _MethodSeries(NamedTuple):
    """The series of one method, looked up once; `handled` by the keys of GRPC_CODES."""

    started: Counter
    seconds: Histogram
    handled: dict[str, Counter]


class RpcMetrics:
    """Counts calls by method and code."""

    def __init__(self, registry: CollectorRegistry, notes: Notes) -> None:
        self._notes = notes
        self._started = Counter(
            "grpc_server_started_total", "RPCs started on the server.", _METHOD, registry=registry
        )
        self._handled = Counter(
            "grpc_server_handled_total",
            "RPCs completed on the server, whatever the outcome.",
            (*_METHOD, "grpc_code"),
            registry=registry,
        )
        self._seconds = Histogram(
            "grpc_server_handling_seconds",
            "Time from the start of an RPC to its end, in the server.",
            _METHOD,
            registry=registry,
            buckets=CALL_BUCKETS,
        )
        self._methods: dict[RpcMethod, _MethodSeries] = {}
        self.declare([UNKNOWN_METHOD])

    def declare(self, methods: Iterable[RpcMethod]) -> None:
        """Make the series of `methods`, at zero, for every code.

        Calls of any other method are counted as UNKNOWN_METHOD.
        """
        for method in methods:
            self._methods[method] = _MethodSeries(
                started=self._started.labels(*method),
                seconds=self._seconds.labels(*method),
                handled={
                    code: self._handled.labels(*method, label) for code, label in GRPC_CODES.items()
                },
            )

    def begins(self, method: RpcMethod) -> None:
        """Count a call at its start."""
        self._notes.add(self._count_begin, self._series(method))

    def ends(self, method: RpcMethod, code: str, seconds: float) -> None:
        """Count a call at its end, to be called in a `finally`; the code is a key of GRPC_CODES."""
        self._notes.add(self._count_end, (self._series(method), code, seconds))

    @staticmethod
    def _count_begin(series: _MethodSeries) -> None:
        series.started.inc()

    @staticmethod
    def _count_end(ended: tuple[_MethodSeries, str, float]) -> None:
        series, code, seconds = ended
        series.handled.get(code, series.handled["UNKNOWN"]).inc()
        series.seconds.observe(seconds)

    def _series(self, method: RpcMethod) -> _MethodSeries:
        return self._methods.get(method) or self._methods[UNKNOWN_METHOD]
