"""The life of models: which versions there are, which one serves, how loading them went."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from service.metrics.buckets import LOAD_BUCKETS
from service.metrics.versions import VERSION, drop

LOAD_FAILURES = ("bundle", "goldens", "internal")
STATES = ("new", "loading", "ready", "quiescing", "unloaded", "failed")


class ModelMetrics:
    """Records what the registry does with the models on disk."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.state = Gauge(
            "parley_model_state",
            "1 for the state that a version on disk is in, 0 for the others.",
            (*VERSION, "state"),
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

    def declare(self, model: str) -> None:
        """Make the series of a model that has been seen on disk."""
        self.serving_version.labels(model)
        self.load_seconds.labels(model)
        self.golden_failures.labels(model)
        for reason in LOAD_FAILURES:
            self.load_failures.labels(model, reason)

    def set_state(self, model: str, version: int, state: str) -> None:
        """Set the one state out of STATES that a version is in."""
        for each in STATES:
            self.state.labels(model, str(version), each).set(float(each == state))

    def drop_state(self, model: str, version: int) -> None:
        """Forget the state of a version that is neither on disk nor loaded."""
        for state in STATES:
            drop(self.state, model, str(version), state)
