"""What the engine tells of itself, as far as it is counted: the seam between it and the metrics.

Neither imports the other; the engine's own records fulfil these.
"""

from typing import Protocol

__all__ = ["Fill", "ResultFacts", "StepFacts"]


class Fill(Protocol):
    """How full an engine is now; `service.decoding.Engine` fulfils it."""

    @property
    def queue_depth(self) -> int: ...
    @property
    def live_rows(self) -> int: ...


class StepFacts(Protocol):
    """What one step of an engine tells; `service.decoding.StepReport` fulfils it."""

    @property
    def rows(self) -> int: ...
    @property
    def cancelled(self) -> int: ...
    @property
    def failed(self) -> int: ...
    @property
    def expired(self) -> int: ...
    @property
    def tokens(self) -> int: ...
    @property
    def wasted_rows(self) -> int: ...
    @property
    def step_seconds(self) -> float: ...
    @property
    def encode_seconds(self) -> float: ...
    @property
    def host_seconds(self) -> float: ...


class ResultFacts(Protocol):
    """What one decoded sentence tells; `service.decoding.request.DecodeResult` fulfils it."""

    @property
    def queue_seconds(self) -> float: ...
    @property
    def decode_seconds(self) -> float: ...
    @property
    def first_token_seconds(self) -> float: ...
