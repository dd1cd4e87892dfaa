"""The assembly of the gRPC server: servicers, interceptors, health, reflection, HTTP/2 settings."""
from service.rpc.limits import Limits
from service.rpc.ports import CallMetrics, Models

__all__ = ["RpcServer", "build_server"]


def build_server(models: Models, metrics: CallMetrics, limits: Limits) -> "RpcServer":
    """The server, wired and not yet listening; call it and its methods on one event loop."""
    raise NotImplementedError


class RpcServer:
    """Start, health, drain and stop of the gRPC door."""

    async def start(self, host: str, port: int) -> int:
        """Open the address and accept calls; returns the bound port (port 0 = a free one).

        Health is NOT_SERVING, except "liveness", until `set_serving` says otherwise.
        Raises ListenError when the address cannot be opened.
        """
        raise NotImplementedError

    def set_serving(self, service: str, serving: bool) -> None:  # noqa: FBT001
        """Set the health of `service`: "" is readiness; a model has its own name."""

    def drain(self) -> None:
        """Report NOT_SERVING for good (liveness excepted); calls are still accepted."""

    async def stop(self, grace_seconds: float) -> None:
        """Refuse new calls, let running ones finish for `grace_seconds`, cancel the rest."""
