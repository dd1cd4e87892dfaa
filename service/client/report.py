"""What a load has shown: throughput, latency and failures."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from service.client.load import Record

__all__ = ["Latency", "Report", "percentile"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Latency:
    """Milliseconds, over the calls that succeeded."""

    mean: float
    p50: float
    p90: float
    p99: float
    p99_9: float
    max: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Latency":
        """Of at least one latency."""
        ordered = sorted(seconds)
        shares = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99_9": 0.999}
        return cls(
            mean=sum(ordered) / len(ordered) * 1e3,
            max=ordered[-1] * 1e3,
            **{name: percentile(ordered, share) * 1e3 for name, share in shares.items()},
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """The figures of one load, without its warm-up.

    `calls` were meant to begin in the `seconds` that were measured. `calls_per_second` counts those
    that succeeded, by when their answers came. `errors` counts the others, by status code.
    `latency` is None when no call succeeded. `worst_lag_ms` is by how much the caller itself was
    late at worst: where that is no small part of the latency, the caller was the bottleneck.
    """

    seconds: float
    calls: int
    calls_per_second: float
    texts_per_second: float
    latency: Latency | None
    errors: dict[str, int]
    worst_lag_ms: float

    @classmethod
    def of(
        cls, record: Record, *, now: float, seconds: float | None, texts_per_call: int
    ) -> "Report":
        """The figures of `record`, which may have been interrupted at the time `now`.

        `seconds` is for how long calls were to be made (None: until so many were made). The last
        answers may come after that: they have a latency, but no part in the throughput.
        """
        measured = [call for call in record.calls if call.meant >= record.measured_from]
        end = now if record.ended is None else record.ended
        if seconds is not None:
            end = min(end, record.measured_from + seconds)
        duration = max(end - record.measured_from, 1e-9)
        ok = [call for call in measured if call.code == "OK"]
        answered = sum(
            call.code == "OK" and record.measured_from <= call.ended <= end for call in record.calls
        )
        return cls(
            seconds=duration if measured else 0.0,
            calls=len(measured),
            calls_per_second=answered / duration if measured else 0.0,
            texts_per_second=texts_per_call * answered / duration if measured else 0.0,
            latency=Latency.of([call.ended - call.meant for call in ok]) if ok else None,
            errors=dict(Counter(call.code for call in measured if call.code != "OK").most_common()),
            worst_lag_ms=max((call.began - call.meant for call in measured), default=0.0) * 1e3,
        )

    def as_dict(self) -> dict[str, Any]:
        """For JSON; the keys are the names of the fields."""
        return asdict(self)


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of all (ascending, not empty) do not exceed."""
    # Rounded first: 0.07 * 100 is a little more than 7.
    rank = math.ceil(round(share * len(ordered), 9))
    return ordered[max(rank, 1) - 1]
