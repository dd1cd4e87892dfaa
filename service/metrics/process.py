"""The process as a whole: what runs in it, and on how much of a machine."""

import sys
from collections.abc import Callable, Iterator
from importlib import metadata

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from service import __version__


class ProcessMetrics:
    """Tells of the process, beyond what prometheus_client finds by itself."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
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

    def watch_throttling(self, read: Callable[[], tuple[float, float] | None]) -> None:
        """Export what the CPU quota does to us; `read` gives (periods, seconds), or None."""
        self._registry.register(_CpuThrottling(read))


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


def _version_of(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "unknown"
