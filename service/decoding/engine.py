"""SIGNATURES ONLY (being written): the engine's public face."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from time import monotonic

from service.decoding.admission import EngineLimits
from service.decoding.request import DecodeRequest, DecodeResult
from service.decoding.stepper import Stepper


@dataclass(frozen=True, kw_only=True, slots=True)
class StepReport:
    """What one turn of the engine did."""

    rows: int
    sources: int
    joined: int
    finished: int
    cancelled: int
    expired: int
    failed: int
    tokens: int
    wasted_rows: int
    queue_depth: int
    step_seconds: float
    encode_seconds: float
    host_seconds: float


class Engine:
    def __init__(
        self,
        stepper: Stepper,
        limits: EngineLimits | None = None,
        *,
        clock: Callable[[], float] = monotonic,
        on_step: Callable[[StepReport], None] | None = None,
        name: str = "engine",
    ) -> None: ...

    def start(self) -> None: ...

    def submit(self, request: DecodeRequest) -> Future[DecodeResult]:
        raise NotImplementedError

    def decode(self, requests: Sequence[DecodeRequest]) -> list[DecodeResult]:
        raise NotImplementedError

    def stop(self, drain_seconds: float = 0.0) -> bool:
        raise NotImplementedError

    @property
    def healthy(self) -> bool:
        raise NotImplementedError

    @property
    def queue_depth(self) -> int:
        raise NotImplementedError

    @property
    def live_rows(self) -> int:
        raise NotImplementedError
