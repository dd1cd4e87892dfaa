"""Requests that come at given times, served in one thread by a clock that counts what it computes.

Nobody sleeps until the next arrival: the clock is moved there. So what else the machine does while
a thread waits, and how late it wakes, is in no latency.
"""

import time
from collections.abc import Callable, Sequence

from service.decoding import DecodeRequest, EngineLimits, Stepper
from service.decoding.crank import Crank

Decode = Callable[[Sequence[DecodeRequest]], object]


class WorkClock:
    """Seconds that this thread has computed, and those that it had nothing to do."""

    def __init__(self) -> None:
        self._idle = -time.thread_time()

    def __call__(self) -> float:
        return time.thread_time() + self._idle

    def skip_to(self, moment: float) -> None:
        """Be there, if that is not past."""
        self._idle += max(0.0, moment - self())


def continuous(
    stepper: Stepper,
    limits: EngineLimits,
    requests: Sequence[DecodeRequest],
    times: Sequence[float],
    clock: WorkClock,
) -> list[float]:
    """When each is answered, after its arrival, by the engine's own crank."""
    crank = Crank(stepper, limits, clock)
    latencies: list[float] = []
    come = 0
    while len(latencies) < len(times):
        if not crank.busy:
            clock.skip_to(times[come])
        now, new = clock(), []
        while come < len(times) and times[come] <= now:
            new.append(crank.sequence(come, requests[come % len(requests)], times[come]))
            come += 1
        outcome, _ = crank.run(crank.admit(new, ()), now)
        assert not outcome.failed
        now = clock()
        latencies += [now - each.arrived for each in outcome.finished]
    return latencies


def batched(
    decode: Decode,
    most: int,
    requests: Sequence[DecodeRequest],
    times: Sequence[float],
    clock: WorkClock,
) -> list[float]:
    """The same where those who wait, at most so many, are a batch that nobody joins.

    All of it is answered when all of it is done, as by a dynamic batcher before a translation.
    """
    latencies: list[float] = []
    come = 0
    while (done := len(latencies)) < len(times):
        clock.skip_to(times[done])
        now = clock()
        while come < len(times) and times[come] <= now:
            come += 1
        batch = range(done, min(come, done + most))
        decode([requests[number % len(requests)] for number in batch])
        now = clock()
        latencies += [now - times[number] for number in batch]
    return latencies
