"""Every metric of the service; each part of it is given the family in which it counts.

Names of `grpc_server_*` are those that existing dashboards know; the rest is `parley_*` in base
units. Labels are bounded: methods of our own services, status codes, models and versions that are
on disk, and reasons from tuples of this package; never a text, a key or an address. Series are made
before they are needed, so that `rate()` sees the zero before the first event, and the series of a
version go when the version goes.

What happens at every call and every step is noted in passing and counted when somebody looks.
"""

from service.metrics.catalog import Metrics, new_registry
from service.metrics.engine import EngineFamilies, EngineMetrics
from service.metrics.models import ModelMetrics
from service.metrics.rpc import GRPC_CODES, RpcMethod, RpcMetrics

__all__ = [
    "GRPC_CODES",
    "EngineFamilies",
    "EngineMetrics",
    "Metrics",
    "ModelMetrics",
    "RpcMethod",
    "RpcMetrics",
    "new_registry",
]
