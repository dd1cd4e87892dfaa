"""How a metric names a version of a model, and forgets it."""

import contextlib

from prometheus_client.metrics import MetricWrapperBase

VERSION = ("model", "version")


def drop(family: MetricWrapperBase, *labels: str) -> None:
    """Take one series away, if it is there."""
    with contextlib.suppress(KeyError):  # never made, or gone already
        family.remove(*labels)
