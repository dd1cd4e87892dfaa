"""Metrics: series exist before the first event, labels stay bounded, Prometheus is content."""

import shutil
import subprocess
from dataclasses import dataclass

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from service.metrics import GRPC_CODES, EngineMetrics, Metrics, RpcMethod, new_registry

TRANSLATE = RpcMethod("unary", "parley.v1.Translation", "Translate")
LABELS = {
    "grpc_type": "unary",
    "grpc_service": "parley.v1.Translation",
    "grpc_method": "Translate",
}


@dataclass
class Step:
    rows: int = 4
    cancelled: int = 0
    expired: int = 0
    failed: int = 0
    tokens: int = 7
    wasted_rows: int = 0
    step_seconds: float = 0.001
    encode_seconds: float = 0.5
    host_seconds: float = 0.25


@dataclass
class Engine:
    queue_depth: int = 2
    live_rows: int = 5


@dataclass
class Result:
    queue_seconds: float = 0.001
    decode_seconds: float = 0.02
    first_token_seconds: float = 0.003


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(CollectorRegistry())


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def engine_value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return value(metrics, name, model="m", version="1", **labels)


def test_a_declared_method_has_every_series_at_zero(metrics: Metrics) -> None:
    metrics.rpc.declare([TRANSLATE])

    assert value(metrics, "grpc_server_started_total", **LABELS) == 0
    assert value(metrics, "grpc_server_handling_seconds_count", **LABELS) == 0
    for code in GRPC_CODES.values():
        assert value(metrics, "grpc_server_handled_total", **LABELS, grpc_code=code) == 0


def test_codes_are_spelt_as_dashboards_know_them() -> None:
    assert 17 == len(GRPC_CODES)
    assert ("OK", "Canceled", "DeadlineExceeded", "NotFound") == tuple(
        GRPC_CODES[name] for name in ("OK", "CANCELLED", "DEADLINE_EXCEEDED", "NOT_FOUND")
    )


def test_a_call_is_counted_at_its_start_and_at_its_end(metrics: Metrics) -> None:
    metrics.rpc.declare([TRANSLATE])
    metrics.rpc.begins(TRANSLATE)
    metrics.rpc.ends(TRANSLATE, "INVALID_ARGUMENT", 0.02)

    assert value(metrics, "grpc_server_started_total", **LABELS) == 1
    assert value(metrics, "grpc_server_handled_total", **LABELS, grpc_code="InvalidArgument") == 1
    assert value(metrics, "grpc_server_handling_seconds_sum", **LABELS) == 0.02


def test_a_method_that_a_caller_made_up_makes_no_series(metrics: Metrics) -> None:
    before = len(generate_latest(metrics.registry).splitlines())
    metrics.rpc.begins(RpcMethod("unary", "a.caller.chose", "This"))
    metrics.rpc.ends(RpcMethod("unary", "a.caller.chose", "This"), "UNIMPLEMENTED", 0.001)
    after = generate_latest(metrics.registry)

    assert before == len(after.splitlines())
    assert b"caller" not in after


def test_a_code_that_nobody_knows_counts_as_unknown(metrics: Metrics) -> None:
    metrics.rpc.declare([TRANSLATE])
    metrics.rpc.ends(TRANSLATE, "I_AM_A_TEAPOT", 0.001)

    assert value(metrics, "grpc_server_handled_total", **LABELS, grpc_code="Unknown") == 1


@pytest.fixture
def engine(metrics: Metrics) -> EngineMetrics:
    return metrics.engines.open("m", 1, max_rows=128, fill=Engine())


def test_a_loaded_version_has_its_series_before_its_first_step(
    metrics: Metrics, engine: EngineMetrics
) -> None:
    assert engine_value(metrics, "parley_rows_limit") == 128
    assert engine_value(metrics, "parley_tokens_total") == 0
    assert engine_value(metrics, "parley_step_seconds_count") == 0
    assert engine_value(metrics, "parley_sentences_total", outcome="refused") == 0


def test_a_step_is_recorded(metrics: Metrics, engine: EngineMetrics) -> None:
    engine.step(Step(cancelled=2, wasted_rows=3))

    assert engine_value(metrics, "parley_step_rows_sum") == 4
    assert engine_value(metrics, "parley_step_seconds_count") == 1
    assert engine_value(metrics, "parley_encode_seconds_total") == 0.5
    assert engine_value(metrics, "parley_host_seconds_total") == 0.25
    assert engine_value(metrics, "parley_tokens_total") == 7
    assert engine_value(metrics, "parley_wasted_rows_total") == 3
    assert engine_value(metrics, "parley_sentences_total", outcome="cancelled") == 2


def test_how_full_an_engine_is_is_read_when_it_is_asked_for(metrics: Metrics) -> None:
    fill = Engine()
    metrics.engines.open("m", 1, max_rows=128, fill=fill)
    fill.queue_depth, fill.live_rows = 7, 0

    assert engine_value(metrics, "parley_queue_depth") == 7
    assert engine_value(metrics, "parley_live_rows") == 0


def test_a_turn_without_rows_is_no_decoding_step(metrics: Metrics, engine: EngineMetrics) -> None:
    engine.step(Step(rows=0))

    assert engine_value(metrics, "parley_step_seconds_count") == 0


def test_a_result_is_recorded(metrics: Metrics, engine: EngineMetrics) -> None:
    engine.result(Result())

    assert engine_value(metrics, "parley_sentences_total", outcome="finished") == 1
    assert engine_value(metrics, "parley_queue_wait_seconds_sum") == 0.001
    assert engine_value(metrics, "parley_first_token_seconds_sum") == 0.003
    assert engine_value(metrics, "parley_decode_seconds_sum") == 0.02


def test_an_unloaded_version_leaves_no_series_behind(
    metrics: Metrics, engine: EngineMetrics
) -> None:
    engine.step(Step())
    engine.result(Result())
    engine.close()

    assert b'version="1"' not in generate_latest(metrics.registry)


def test_closing_twice_is_harmless(engine: EngineMetrics) -> None:
    engine.close()
    engine.close()


def test_a_version_is_in_exactly_one_state(metrics: Metrics) -> None:
    metrics.models.set_state("m", 1, "loading")
    metrics.models.set_state("m", 1, "ready")

    assert engine_value(metrics, "parley_model_state", state="ready") == 1
    assert engine_value(metrics, "parley_model_state", state="loading") == 0


def test_a_forgotten_version_has_no_state(metrics: Metrics) -> None:
    metrics.models.set_state("m", 1, "ready")
    metrics.models.drop_state("m", 1)

    assert engine_value(metrics, "parley_model_state", state="ready") is None


def test_a_model_has_its_failure_series_before_it_fails(metrics: Metrics) -> None:
    metrics.models.declare("m")

    failures = "parley_model_load_failures_total"
    assert value(metrics, failures, model="m", reason="goldens") == 0
    assert value(metrics, "parley_golden_failures_total", model="m") == 0


def test_throttling_is_exported_where_it_is_known(metrics: Metrics) -> None:
    metrics.process.watch_throttling(lambda: (3.0, 1.5))

    assert value(metrics, "parley_cpu_throttled_periods_total") == 3
    assert value(metrics, "parley_cpu_throttled_seconds_total") == 1.5


def test_throttling_is_left_out_where_it_is_unknown(metrics: Metrics) -> None:
    metrics.process.watch_throttling(lambda: None)

    assert value(metrics, "parley_cpu_throttled_seconds_total") is None


def test_there_are_no_created_series() -> None:
    assert b"_created" not in generate_latest(Metrics(new_registry()).registry)


def test_promtool_has_nothing_to_say() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian: apt install prometheus)")
    metrics = Metrics(new_registry())
    metrics.process.watch_throttling(lambda: (3.0, 1.5))
    metrics.rpc.declare([TRANSLATE])
    metrics.models.declare("m")
    metrics.models.set_state("m", 1, "ready")
    engine = metrics.engines.open("m", 1, max_rows=128, fill=Engine())
    engine.step(Step())
    engine.result(Result())

    checked = subprocess.run(
        [promtool, "check", "metrics"],
        input=generate_latest(metrics.registry),
        capture_output=True,
        check=False,
    )

    assert (0, b"", b"") == (checked.returncode, checked.stdout, checked.stderr)
