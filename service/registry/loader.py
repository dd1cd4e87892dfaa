"""From a version directory to something that can be asked: digests, sessions, engine, goldens.

A version is loaded only when this very process, on this CPU, with the engine that will serve, has
decoded the goldens of its bundle again with the same outcome.
"""

import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from service.bundle import (
    Bundle,
    Golden,
    GoldenHypothesis,
    Manifest,
    mismatches,
    open_bundle,
)
from service.decoding import (
    DecodeRequest,
    DecodeResult,
    Engine,
    EngineLimits,
    StepReport,
)
from service.decoding.session import OnnxStepper
from service.errors import Overloaded, ParleyError
from service.metrics import EngineFamilies, EngineMetrics
from service.translation import Translator

_SHOWN = 3  # failed goldens in a message: enough to see what is wrong


class GoldensFailed(ParleyError):
    """A version answers its goldens otherwise than its exporter recorded."""

    def __init__(self, failures: Sequence[str], goldens: int) -> None:
        self.failed = len(failures)
        shown = "; ".join(failures[:_SHOWN]) + ("; ..." if len(failures) > _SHOWN else "")
        super().__init__(f"{self.failed} of {goldens} goldens are not reproduced: {shown}")


class Loaded(Protocol):
    """A version in memory."""

    @property
    def manifest(self) -> Manifest:
        """What the version says about itself."""

    @property
    def translator(self) -> Translator:
        """What it does."""

    @property
    def healthy(self) -> bool:
        """False when its decoding thread is dead, or stuck with work to do."""

    def close(self, drain_seconds: float = 0.0) -> None:
        """End its decoding thread and free its memory."""


class Loader(Protocol):
    """Makes a version ready to serve; called on the registry's own thread."""

    def load(self, name: str, version: int, path: Path) -> Loaded:
        """Load the bundle at `path`, prove it on its goldens, or raise (and leave nothing behind).

        Raises BundleError, GoldensFailed, or whatever the runtime finds wrong with the graphs.
        """


@dataclass(frozen=True, kw_only=True, slots=True)
class BundleLoader:
    """Loads real bundles onto onnxruntime."""

    threads: int
    limits: EngineLimits
    metrics: EngineFamilies
    stuck_seconds: float = 60.0

    def load(self, name: str, version: int, path: Path) -> "LoadedBundle":
        """See `Loader.load`."""
        bundle = open_bundle(path)
        meter = Meter()
        stepper = OnnxStepper.from_bundle(bundle, threads=self.threads)
        engine = Engine(stepper, self.limits, on_step=meter.step, name=f"{name}-{version}")
        engine.start()
        try:
            check_goldens(bundle, engine)
        except BaseException:
            engine.stop()
            raise
        meter.metrics = self.metrics.open(name, version, self.limits.max_rows, engine)
        return LoadedBundle(bundle, engine, meter, self.stuck_seconds)


def check_goldens(bundle: Bundle, engine: Engine) -> None:
    """Decode every golden through `engine`, all in one crowd; raises GoldensFailed.

    The exporter decoded them on their own, so this also proves that neighbours change nothing.
    """
    results = engine.decode([golden_request(bundle, each) for each in bundle.goldens])
    failures = [
        "; ".join(found)
        for golden, result in zip(bundle.goldens, results, strict=True)
        if (found := mismatches(golden, _answers(bundle, result)))
    ]
    if failures:
        raise GoldensFailed(failures, len(bundle.goldens))


def golden_request(bundle: Bundle, golden: Golden) -> DecodeRequest:
    """What the exporter asked when it recorded `golden`."""
    return DecodeRequest(
        source=(*bundle.tokenizer.encode(golden.source), bundle.manifest.special_ids.eos),
        beam=golden.beam,
        n_best=len(golden.hypotheses),
        length_normalisation=golden.length_normalisation,
        length_penalty=golden.length_penalty,
        coverage_penalty=golden.coverage_penalty,
        min_length=golden.min_length,
        max_length=golden.max_length,
    )


def _answers(bundle: Bundle, result: DecodeResult) -> list[GoldenHypothesis]:
    return [
        GoldenHypothesis(
            text=bundle.tokenizer.decode(each.tokens), tokens=each.tokens, score=each.score
        )
        for each in result.hypotheses
    ]


class LoadedBundle:
    """One proven bundle and its running engine."""

    def __init__(
        self, bundle: Bundle, engine: Engine, meter: "Meter", stuck_seconds: float
    ) -> None:
        self.manifest = bundle.manifest
        self.translator = Translator(bundle, MeteredEngine(engine, meter))
        self._engine = engine
        self._meter = meter
        self._stuck_seconds = stuck_seconds

    @property
    def healthy(self) -> bool:
        """False when the decoding thread is dead, or has work and made no step for too long."""
        if not self._engine.healthy:
            return False
        busy = self._engine.live_rows > 0 or self._engine.queue_depth > 0
        return not busy or self._meter.quiet_seconds() < self._stuck_seconds

    def close(self, drain_seconds: float = 0.0) -> None:
        """End the decoding thread; the series of this version go with it."""
        self._engine.stop(drain_seconds)
        if self._meter.metrics is not None:
            self._meter.metrics.close()


@dataclass(slots=True)
class Meter:
    """Stands between an engine and its metrics; goldens are not traffic, so it starts deaf."""

    metrics: EngineMetrics | None = None
    clock: Callable[[], float] = time.monotonic
    last_sign: float = -math.inf

    def sign(self) -> None:
        self.last_sign = self.clock()

    def step(self, report: StepReport) -> None:
        self.sign()
        if self.metrics is not None:
            self.metrics.step(report)

    def quiet_seconds(self) -> float:
        return self.clock() - self.last_sign


class MeteredEngine:
    """An engine that also counts what becomes of each sentence."""

    def __init__(self, engine: Engine, meter: Meter) -> None:
        self._engine = engine
        self._meter = meter

    def submit(self, request: DecodeRequest) -> Future[DecodeResult]:
        """As `Engine.submit`."""
        if self._engine.live_rows == 0 and self._engine.queue_depth == 0:
            self._meter.sign()  # it was idle until now, not stuck
        try:
            future = self._engine.submit(request)
        except Overloaded:
            if self._meter.metrics is not None:
                self._meter.metrics.outcome("refused")
            raise
        future.add_done_callback(self._record)
        return future

    def decode(self, requests: Sequence[DecodeRequest]) -> Sequence[DecodeResult]:
        """As `Engine.decode`."""
        results = self._engine.decode(requests)
        if self._meter.metrics is not None:
            for result in results:
                self._meter.metrics.result(result)
        return results

    def _record(self, future: Future[DecodeResult]) -> None:
        if self._meter.metrics is None or future.cancelled():
            return  # cancelled rows are counted by the step that takes them out
        if future.exception() is None:
            self._meter.metrics.result(future.result())
