"""Load on a server: calls made in a pattern, each timed from the moment it was meant to begin.

*Closed loop*: so many callers, each waiting for its answer before it asks again. *Open loop*: calls
arrive at random (a Poisson process) at a rate that does not care how the server fares, as they do
from many users who do not know of each other.

A caller that waits for a stalled server makes no calls in the meantime, so the stall shows in one
latency where users would have seen hundreds ("coordinated omission", G. Tene). In the open loop
nothing is omitted: a call that is sent late is counted from when it should have been sent.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from service.client.messages import CallFailed

__all__ = ["Ask", "Call", "Load", "Record", "apply_load"]

# The call of this number, from 0; raises CallFailed.
Ask = Callable[[int], Awaitable[object]]

# Where nobody listens, calls fail in microseconds: callers would burn a core on failing.
_SECONDS_AFTER_FAILURE = 0.05


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """How to call: `rate` calls a second if given, else `concurrency` callers.

    After `warm_up_seconds`, whose calls are not counted, it goes on for `seconds` or for `calls`
    calls, whichever is reached first; one of them must be given.
    """

    concurrency: int = 1
    rate: float | None = None
    seconds: float | None = None
    calls: int | None = None
    warm_up_seconds: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.seconds is None and self.calls is None:
            raise ValueError("a load must end: give seconds or calls")


class Call(NamedTuple):
    """One call that has ended: times in seconds of one clock; `code` as gRPC names it."""

    meant: float
    began: float
    ended: float
    code: str


@dataclass(slots=True)
class Record:
    """What has come of the calls so far; may be read while the load goes on.

    `measured_from` is when the warm-up was over, `ended` when the last call was answered.
    """

    calls: list[Call] = field(default_factory=list)
    started: float = 0.0
    measured_from: float = 0.0
    ended: float | None = None
    begun: int = 0

    @property
    def in_flight(self) -> int:
        """Calls that wait for their answer."""
        return self.begun - len(self.calls)


async def apply_load(ask: Ask, load: Load, record: Record) -> None:
    """Make the calls; every one that ends is in `record`, also when this is cancelled half-way."""
    await _Driver(ask, load, record).run()


class _Driver:
    def __init__(self, ask: Ask, load: Load, record: Record) -> None:
        self._ask = ask
        self._load = load
        self._record = record
        self._clock = asyncio.get_running_loop().time
        now = self._clock()
        record.started, record.measured_from = now, now + load.warm_up_seconds
        self._end = float("inf") if load.seconds is None else record.measured_from + load.seconds
        self._left = float("inf") if load.calls is None else load.calls

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            if self._load.rate is None:
                for _caller in range(self._load.concurrency):
                    group.create_task(self._call_and_wait())
            else:
                await self._call_at_random(group, self._load.rate)
        self._record.ended = self._clock()

    async def _call_and_wait(self) -> None:
        while self._is_wanted(meant := self._clock()):
            if not await self._call(meant):
                await asyncio.sleep(_SECONDS_AFTER_FAILURE)

    async def _call_at_random(self, group: asyncio.TaskGroup, rate: float) -> None:
        chance = random.Random(self._load.seed)
        meant = self._clock() + chance.expovariate(rate)
        while self._is_wanted(meant):
            # Also when it is late: the answers to earlier calls have to be taken in between.
            await asyncio.sleep(max(meant - self._clock(), 0.0))
            group.create_task(self._call(meant))
            meant += chance.expovariate(rate)

    def _is_wanted(self, meant: float) -> bool:
        """Whether there shall be a call at this time."""
        if meant < self._record.measured_from:
            return True
        if meant >= self._end or self._left <= 0:
            return False
        self._left -= 1
        return True

    async def _call(self, meant: float) -> bool:
        number = self._record.begun
        self._record.begun += 1
        began = self._clock()
        code = "OK"
        try:
            await self._ask(number)
        except CallFailed as error:
            code = error.code
        self._record.calls.append(Call(meant, began, self._clock(), code))
        return code == "OK"
