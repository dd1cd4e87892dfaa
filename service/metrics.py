"""Every metric of the service, declared in one class that is given its registry.

Names of `grpc_server_*` are those that existing dashboards know; the rest is `parley_*` in base
units. Labels are bounded: methods of our own services, status codes, models and versions that are
on disk, and reasons from the tuples below; never a text, a key or an address. Series are made
before they are needed, so that `rate()` sees the zero before the first event, and the series of a
version go when the version goes.

What happens at every call and every step is noted in passing and counted when somebody looks.
"""

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator
from importlib import metadata
from typing import NamedTuple

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import CounterMetricFamily
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.registry import Collector

from service import __version__
from service.facts import Fill, ResultFacts, StepFacts
from service.notes import Notes

# A step takes 0.2-10 ms and a sentence 5-500 ms, so the fine buckets are where those lie.
STEP_BUCKETS = (0.0002, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.02, 0.05, 0.1, 0.5)
WAIT_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
CALL_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0,
                2.5, 5.0, 15.0, 60.0)  # fmt: skip
LOAD_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
ROW_BUCKETS = (1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 512)

_CODES = (
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
    "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED",
    "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
)  # fmt: skip
# gRPC's status names, and how go-grpc-prometheus spells them in `grpc_code`, and with it every
# dashboard and alert rule that exists: InvalidArgument, but OK, and Canceled with one l.
GRPC_CODES = {name: name.title().replace("_", "") for name in _CODES}
GRPC_CODES |= {"OK": "OK", "CANCELLED": "Canceled"}
OUTCOMES = ("finished", "cancelled", "expired", "refused", "failed")
LOAD_FAILURES = ("bundle", "goldens", "internal")
STATES = ("new", "loading", "ready", "quiescing", "unloaded", "failed")

_VERSION = ("model", "version")
_METHOD = ("grpc_type", "grpc_service", "grpc_method")


class RpcMethod(NamedTuple):
    """One method of a gRPC service, as the labels name it."""

    type: str  # "unary", "client_stream", "server_stream" or "bidi_stream"
    service: str  # "parley.v1.Translation"
    method: str  # "Translate"


class _MethodSeries(NamedTuple):
    """The series of one method, looked up once; `handled` by the keys of GRPC_CODES."""

    started: Counter
    seconds: Histogram
    handled: dict[str, Counter]


UNKNOWN_METHOD = RpcMethod("unary", "unknown", "unknown")
"""Counts every method that nobody declared: those names are the caller's choice, not ours."""


def new_registry() -> CollectorRegistry:
    """A registry with the process's own metrics, and without `_created` series."""
    disable_created_metrics()  # type: ignore[no-untyped-call]  # one more series for each counter, which nothing here reads
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


class Metrics:
    """Declares every metric on `registry`; thread-safe, as prometheus_client is."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.notes = Notes()
        registry.register(self.notes)  # before what it brings up to date
        self._methods: dict[RpcMethod, _MethodSeries] = {}
        self._declare_rpc(registry)
        self._declare_engine(registry)
        self._declare_models(registry)
        self.declare_rpc([UNKNOWN_METHOD])
        self.threads = Gauge(
            "parley_threads", "Threads of one model's arithmetic.", registry=registry
        )
        info = Gauge(
            "parley_build_info",
            "Always 1; what is running is in the labels.",
            ("version", "python", "onnxruntime", "grpcio"),
            registry=registry,
        )
        info.labels(
            __version__,
            ".".join(map(str, sys.version_info[:3])),
            _version_of("onnxruntime"),
            _version_of("grpcio"),
        ).set(1)

    def _declare_rpc(self, registry: CollectorRegistry) -> None:
        self.rpc_started = Counter(
            "grpc_server_started_total", "RPCs started on the server.", _METHOD, registry=registry
        )
        self.rpc_handled = Counter(
            "grpc_server_handled_total",
            "RPCs completed on the server, whatever the outcome.",
            (*_METHOD, "grpc_code"),
            registry=registry,
        )
        self.rpc_seconds = Histogram(
            "grpc_server_handling_seconds",
            "Time from the start of an RPC to its end, in the server.",
            _METHOD,
            registry=registry,
            buckets=CALL_BUCKETS,
        )

    def _declare_engine(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, text: str) -> Gauge:
            return Gauge(name, text, _VERSION, registry=registry)

        def counter(name: str, text: str, *more: str) -> Counter:
            return Counter(name, text, (*_VERSION, *more), registry=registry)

        def histogram(name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
            return Histogram(name, text, _VERSION, registry=registry, buckets=buckets)

        self.queue_depth = gauge("parley_queue_depth", "Sentences waiting to join the batch now.")
        self.queue_seconds = histogram(
            "parley_queue_wait_seconds",
            "Time a sentence waited before it joined the batch.",
            WAIT_BUCKETS,
        )
        self.live_rows = gauge("parley_live_rows", "Hypotheses in the batch now.")
        self.rows_limit = gauge("parley_rows_limit", "Hypotheses that fit into the batch.")
        self.step_rows = histogram(
            "parley_step_rows", "Hypotheses advanced by one step.", ROW_BUCKETS
        )
        self.step_seconds = histogram(
            "parley_step_seconds", "Model time of one decoding step.", STEP_BUCKETS
        )
        self.encode_seconds = counter("parley_encode_seconds_total", "Time spent encoding.")
        self.host_seconds = counter(
            "parley_host_seconds_total", "Time of the decoding thread outside the model."
        )
        self.wasted_rows = counter(
            "parley_wasted_rows_total", "Rows computed for sentences that nobody waited for."
        )
        self.tokens = counter("parley_tokens_total", "Tokens of finished hypotheses.")
        self.sentences = counter(
            "parley_sentences_total", "Sentences that left the engine, by outcome.", "outcome"
        )
        self.first_token_seconds = histogram(
            "parley_first_token_seconds",
            "Time from a sentence's arrival to its first decoded token.",
            WAIT_BUCKETS,
        )
        self.decode_seconds = histogram(
            "parley_decode_seconds",
            "Time from joining the batch to the last token of a sentence.",
            CALL_BUCKETS,
        )

    def _declare_models(self, registry: CollectorRegistry) -> None:
        self.model_state = Gauge(
            "parley_model_state",
            "1 for the state that a version on disk is in, 0 for the others.",
            (*_VERSION, "state"),
            registry=registry,
        )
        self.serving_version = Gauge(
            "parley_model_serving_version",
            "The version that answers for a model; 0 when none does.",
            ("model",),
            registry=registry,
        )
        self.load_seconds = Histogram(
            "parley_model_load_seconds",
            "Time from the start of loading a version to READY.",
            ("model",),
            registry=registry,
            buckets=LOAD_BUCKETS,
        )
        self.load_failures = Counter(
            "parley_model_load_failures_total",
            "Loads that failed: bundle not acceptable, goldens not reproduced, or anything else.",
            ("model", "reason"),
            registry=registry,
        )
        self.golden_failures = Counter(
            "parley_golden_failures_total",
            "Golden examples that a version decoded otherwise than its exporter.",
            ("model",),
            registry=registry,
        )

    def watch_throttling(self, read: Callable[[], tuple[float, float] | None]) -> None:
        """Export what the CPU quota does to us; `read` gives (periods, seconds), or None."""
        self.registry.register(_CpuThrottling(read))

    # -- gRPC -------------------------------------------------------------------------------------

    def declare_rpc(self, methods: Iterable[RpcMethod]) -> None:
        """Make the series of `methods`, at zero, for every code.

        Calls of any other method are counted as UNKNOWN_METHOD.
        """
        for method in methods:
            self._methods[method] = _MethodSeries(
                started=self.rpc_started.labels(*method),
                seconds=self.rpc_seconds.labels(*method),
                handled={
                    code: self.rpc_handled.labels(*method, label)
                    for code, label in GRPC_CODES.items()
                },
            )

    def rpc_begins(self, method: RpcMethod) -> None:
        """Count a call at its start."""
        self.notes.add(self._count_begin, self._series(method))

    def rpc_ends(self, method: RpcMethod, code: str, seconds: float) -> None:
        """Count a call at its end, to be called in a `finally`; the code is a key of GRPC_CODES."""
        self.notes.add(self._count_end, (self._series(method), code, seconds))

    @staticmethod
    def _count_begin(series: "_MethodSeries") -> None:
        series.started.inc()

    @staticmethod
    def _count_end(ended: tuple["_MethodSeries", str, float]) -> None:
        series, code, seconds = ended
        series.handled.get(code, series.handled["UNKNOWN"]).inc()
        series.seconds.observe(seconds)

    def _series(self, method: RpcMethod) -> "_MethodSeries":
        return self._methods.get(method) or self._methods[UNKNOWN_METHOD]

    # -- models -----------------------------------------------------------------------------------

    def declare_model(self, model: str) -> None:
        """Make the series of a model that has been seen on disk."""
        self.serving_version.labels(model)
        self.load_seconds.labels(model)
        self.golden_failures.labels(model)
        for reason in LOAD_FAILURES:
            self.load_failures.labels(model, reason)

    def set_state(self, model: str, version: int, state: str) -> None:
        """Set the one state out of STATES that a version is in."""
        for each in STATES:
            self.model_state.labels(model, str(version), each).set(float(each == state))

    def drop_state(self, model: str, version: int) -> None:
        """Forget the state of a version that is neither on disk nor loaded."""
        for state in STATES:
            _drop(self.model_state, model, str(version), state)

    def engine(self, model: str, version: int, max_rows: int, fill: Fill) -> "EngineMetrics":
        """The metrics of one loaded version, with its labels bound and its series made."""
        metrics = EngineMetrics(self, model, str(version))
        self.rows_limit.labels(model, str(version)).set(max_rows)
        # Read when they are asked for: a value of the last step would outlive the last sentence.
        self.queue_depth.labels(model, str(version)).set_function(lambda: fill.queue_depth)
        self.live_rows.labels(model, str(version)).set_function(lambda: fill.live_rows)
        return metrics


class EngineMetrics:
    """Records what one version's engine does, until `close()` takes its series away."""

    def __init__(self, metrics: Metrics, model: str, version: str) -> None:
        self._labels = (model, version)
        self._notes = metrics.notes
        self._families = [
            metrics.queue_depth, metrics.live_rows, metrics.rows_limit, metrics.step_rows,
            metrics.step_seconds, metrics.encode_seconds, metrics.host_seconds,
            metrics.wasted_rows, metrics.tokens, metrics.queue_seconds,
            metrics.first_token_seconds, metrics.decode_seconds,
        ]  # fmt: skip
        self._sentences = metrics.sentences
        self._step_rows = metrics.step_rows.labels(model, version)
        self._step_seconds = metrics.step_seconds.labels(model, version)
        self._encode_seconds = metrics.encode_seconds.labels(model, version)
        self._host_seconds = metrics.host_seconds.labels(model, version)
        self._wasted_rows = metrics.wasted_rows.labels(model, version)
        self._tokens = metrics.tokens.labels(model, version)
        self._queue_seconds = metrics.queue_seconds.labels(model, version)
        self._first_token_seconds = metrics.first_token_seconds.labels(model, version)
        self._decode_seconds = metrics.decode_seconds.labels(model, version)
        self._outcomes = {each: metrics.sentences.labels(model, version, each) for each in OUTCOMES}

    def step(self, facts: StepFacts) -> None:
        """Record one step; called on the decoding thread."""
        self._notes.add(self._count_step, facts)

    def result(self, facts: ResultFacts) -> None:
        """Record one decoded sentence."""
        self._notes.add(self._count_result, facts)

    def outcome(self, outcome: str) -> None:
        """Count a sentence that did not finish; `outcome` is one of OUTCOMES."""
        self._outcomes[outcome].inc()

    def close(self) -> None:
        """Take the series of this version away: it will not serve again in this form."""
        for family in self._families:
            _drop(family, *self._labels)
        for outcome in OUTCOMES:
            _drop(self._sentences, *self._labels, outcome)

    def _count_step(self, facts: StepFacts) -> None:
        if facts.rows:
            self._step_rows.observe(facts.rows)
            self._step_seconds.observe(facts.step_seconds)
        self._encode_seconds.inc(facts.encode_seconds)
        self._host_seconds.inc(max(facts.host_seconds, 0.0))  # a difference, hence rounded
        self._wasted_rows.inc(facts.wasted_rows)
        self._tokens.inc(facts.tokens)
        self._outcomes["cancelled"].inc(facts.cancelled)
        self._outcomes["expired"].inc(facts.expired)
        self._outcomes["failed"].inc(facts.failed)

    def _count_result(self, facts: ResultFacts) -> None:
        self._outcomes["finished"].inc()
        self._queue_seconds.observe(facts.queue_seconds)
        self._first_token_seconds.observe(facts.first_token_seconds)
        self._decode_seconds.observe(facts.decode_seconds)


class _CpuThrottling(Collector):
    """Reads the cgroup's own counters at every scrape; silent where there are none."""

    def __init__(self, read: Callable[[], tuple[float, float] | None]) -> None:
        self._read = read

    def collect(self) -> Iterator[CounterMetricFamily]:
        found = self._read()
        if found is None:
            return
        periods, seconds = found
        yield CounterMetricFamily(
            "parley_cpu_throttled_periods_total",
            "Scheduling periods in which the CPU quota stopped this container.",
            value=periods,
        )
        yield CounterMetricFamily(
            "parley_cpu_throttled_seconds_total",
            "Time for which the CPU quota stopped this container.",
            value=seconds,
        )


def _drop(family: MetricWrapperBase, *labels: str) -> None:
    with contextlib.suppress(KeyError):  # never made, or gone already
        family.remove(*labels)


def _version_of(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "unknown"
