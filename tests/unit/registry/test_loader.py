"""A version is loaded only when it answers its goldens, and leaves nothing behind when it fails."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from service.bundle import BundleError, open_bundle
from service.decoding import DecodeRequest, DecodeResult, Engine, EngineLimits, StepReport
from service.errors import ParleyError
from service.metrics import Metrics
from service.registry import BundleLoader, GoldensFailed, Loaded
from service.registry.loader import LoadedBundle, Meter, MeteredEngine, golden_request
from service.translation import TranslateOptions
from tests.support.bundles import FROZEN, flip_byte, publish, publish_with_wrong_goldens


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def loader(registry: CollectorRegistry) -> BundleLoader:
    return BundleLoader(
        threads=1, limits=EngineLimits(max_queue=8), metrics=Metrics(registry).engines
    )


@pytest.fixture
def loaded(loader: BundleLoader) -> Iterator[Loaded]:
    version = loader.load("reverse", 1, FROZEN)
    yield version
    version.close()


def decoding_threads() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name.startswith("decode-")]


def test_a_good_bundle_is_loaded_and_answers(loaded: Loaded) -> None:
    (answer,) = loaded.translator.translate_now(["abc"], TranslateOptions())

    assert "cba" == answer.text
    assert "reverse" == loaded.manifest.name
    assert loaded.healthy


def test_goldens_are_no_traffic(registry: CollectorRegistry, loaded: Loaded) -> None:
    labels = {"model": "reverse", "version": "1"}

    assert registry.get_sample_value("parley_tokens_total", labels) == 0


def test_traffic_is_counted(registry: CollectorRegistry, loaded: Loaded) -> None:
    labels = {"model": "reverse", "version": "1"}
    value = registry.get_sample_value
    for _time in range(2):  # a step is counted after its answers are given: see the first one's
        asyncio.run(loaded.translator.translate("abc", TranslateOptions()))

    assert value("parley_tokens_total", labels) >= 3
    assert value("parley_sentences_total", {**labels, "outcome": "finished"}) == 2
    assert value("parley_queue_wait_seconds_count", labels) == 2


def test_what_is_decoded_here_and_now_is_counted_too(
    registry: CollectorRegistry, loaded: Loaded
) -> None:
    loaded.translator.translate_now(["abc", "def"], TranslateOptions())
    labels = {"model": "reverse", "version": "1", "outcome": "finished"}

    assert registry.get_sample_value("parley_sentences_total", labels) == 2


def test_goldens_may_be_more_than_the_queue_holds() -> None:
    goldens = open_bundle(FROZEN).goldens
    loader = BundleLoader(
        threads=1,
        limits=EngineLimits(max_queue=len(goldens) // 2),
        metrics=Metrics(CollectorRegistry()).engines,
    )
    loader.load("reverse", 1, FROZEN).close()


def test_a_golden_is_asked_as_the_exporter_asked_it() -> None:
    bundle = open_bundle(FROZEN)
    golden = bundle.goldens[0]
    request = golden_request(bundle, golden)

    assert bundle.manifest.special_ids.eos == request.source[-1]
    assert (golden.beam, golden.max_length) == (request.beam, request.max_length)
    assert len(golden.hypotheses) == request.n_best


def test_a_bundle_that_answers_otherwise_is_refused_and_its_thread_ended(
    loader: BundleLoader, registry: CollectorRegistry, tmp_path: Path
) -> None:
    path = publish_with_wrong_goldens(tmp_path)
    with pytest.raises(GoldensFailed, match="goldens are not reproduced: golden") as caught:
        loader.load("reverse", 1, path)

    assert caught.value.failed == len(open_bundle(path).goldens)
    assert [] == decoding_threads()
    assert b"reverse" not in generate_latest(registry)


def test_a_tampered_bundle_is_refused(loader: BundleLoader, tmp_path: Path) -> None:
    path = publish(tmp_path)
    flip_byte(path / "encoder.onnx")
    with pytest.raises(BundleError, match=r"encoder\.onnx"):
        loader.load("reverse", 1, path)


def test_limits_too_narrow_for_the_goldens_refuse_the_version_in_words(tmp_path: Path) -> None:
    loader = BundleLoader(
        threads=1, limits=EngineLimits(max_rows=1), metrics=Metrics(CollectorRegistry()).engines
    )
    with pytest.raises(ParleyError, match="must be at most 1 here"):
        loader.load("reverse", 1, FROZEN)

    assert [] == decoding_threads()


def test_closing_ends_the_thread_and_takes_the_series_away(
    loader: BundleLoader, registry: CollectorRegistry
) -> None:
    loader.load("reverse", 1, FROZEN).close()

    assert [] == decoding_threads()
    assert b"reverse" not in generate_latest(registry)


# -- alive, or stuck? -----------------------------------------------------------------------------


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class FakeEngine:
    """An engine as probes see it."""

    healthy = True
    live_rows = 0
    queue_depth = 0

    def submit(self, request: object) -> Future[DecodeResult]:
        self.queue_depth += 1
        return Future()


@dataclass
class Patient:
    engine: FakeEngine
    clock: Clock
    meter: Meter
    version: LoadedBundle

    def ask(self) -> None:
        MeteredEngine(cast("Engine", self.engine), self.meter).submit(cast("DecodeRequest", None))


@pytest.fixture
def patient() -> Patient:
    engine, clock = FakeEngine(), Clock()
    meter = Meter(clock=clock)
    version = LoadedBundle(open_bundle(FROZEN), cast("Engine", engine), meter, stuck_seconds=60)
    return Patient(engine, clock, meter, version)


def test_an_idle_engine_is_healthy_however_long_it_has_been_idle(patient: Patient) -> None:
    patient.clock.now += 1e6

    assert patient.version.healthy


def test_an_engine_that_is_dead_is_not_healthy(patient: Patient) -> None:
    patient.engine.healthy = False

    assert not patient.version.healthy


def test_an_engine_that_was_idle_for_long_and_has_just_been_asked_is_healthy(
    patient: Patient,
) -> None:
    patient.clock.now += 1e6
    patient.ask()

    assert patient.version.healthy


def test_an_engine_with_work_and_without_a_step_for_too_long_is_stuck(patient: Patient) -> None:
    patient.ask()
    patient.clock.now += 59
    assert patient.version.healthy
    patient.clock.now += 2
    assert not patient.version.healthy


def test_more_requests_do_not_make_a_stuck_engine_look_alive(patient: Patient) -> None:
    patient.ask()
    for _time in range(7):
        patient.clock.now += 10
        patient.ask()

    assert not patient.version.healthy


def test_a_step_is_a_sign_of_life(patient: Patient) -> None:
    patient.ask()
    patient.clock.now += 59
    patient.meter.step(cast("StepReport", None))
    patient.clock.now += 59

    assert patient.version.healthy
