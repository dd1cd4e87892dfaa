"""Parley from Python: a blocking client, an asyncio client, one set of errors.

    from service.client import Client

    with Client("127.0.0.1:50051") as parley:
        print(parley.translate("Wo ist der Bahnhof?").translated_text)

The stubs under `service.rpc.pb` do the same for whoever prefers plain gRPC.
"""

from service.client.asynchronous import AsyncClient
from service.client.blocking import Client
from service.client.load import Call, Load, Record, apply_load
from service.client.messages import (
    DEFAULT_SERVER,
    CallFailed,
    Model,
    Options,
    Sampling,
    TranslationResult,
    as_dict,
)
from service.client.report import Latency, Report

__all__ = [
    "DEFAULT_SERVER",
    "AsyncClient",
    "Call",
    "CallFailed",
    "Client",
    "Latency",
    "Load",
    "Model",
    "Options",
    "Record",
    "Report",
    "Sampling",
    "TranslationResult",
    "apply_load",
    "as_dict",
]
