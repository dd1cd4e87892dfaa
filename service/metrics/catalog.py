"""All families together, on one registry."""

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    ProcessCollector,
    disable_created_metrics,
)

from service.metrics.engine import EngineFamilies
from service.metrics.models import ModelMetrics
from service.metrics.process import ProcessMetrics
from service.metrics.rpc import RpcMetrics
from service.notes import Notes


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
        notes = Notes()
        registry.register(notes)  # before what it brings up to date
        self.rpc = RpcMetrics(registry, notes)
        self.engines = EngineFamilies(registry, notes)
        self.models = ModelMetrics(registry)
        self.process = ProcessMetrics(registry)
