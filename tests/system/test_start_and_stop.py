"""A server starts, tells how it is, and ends as it was asked to."""

import signal
import socket
import threading
from pathlib import Path

import grpc
import pytest

from service.rpc.pb.parley.v1 import translation_pb2 as pb
from tests.support.bundles import publish, publish_with_wrong_goldens
from tests.system.server import run, running


def test_a_server_with_a_model_becomes_ready_answers_and_drains(
    tmp_path: Path, models: Path
) -> None:
    with running(tmp_path, models) as server:
        server.wait_until_ready()

        assert ["cba"] == server.translate("abc")
        assert (200, "ready\nreverse/1 ready (serving)\n") == server.get("/readyz")
        assert (200, "alive\n") == server.get("/livez")
        assert server.is_serving("")
        assert server.is_serving("liveness")
        assert server.is_serving("reverse")

        server.signal(signal.SIGTERM)
        assert 0 == server.wait()


def test_ctrl_c_drains_without_the_pause(tmp_path: Path, models: Path) -> None:
    with running(tmp_path, models, drain_pause_seconds=600) as server:
        server.wait_until_ready()
        server.signal(signal.SIGINT)

        assert 0 == server.wait()


def test_without_models_a_server_is_alive_and_not_ready_until_one_arrives(tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    with running(tmp_path, models) as server:
        assert 200 == server.get("/livez")[0]
        assert 503 == server.get("/readyz")[0]
        assert server.is_serving("liveness")
        assert not server.is_serving("")
        with pytest.raises(grpc.RpcError) as caught:
            server.translate("abc")
        assert caught.value.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.NOT_FOUND}

        publish(models)
        server.wait_until_ready()

        assert ["cba"] == server.translate("abc")
        assert server.is_serving("")


def test_one_bad_model_leaves_the_others_ready(tmp_path: Path, models: Path) -> None:
    publish_with_wrong_goldens(models, "bad")
    with running(tmp_path, models) as server:
        server.wait_until_ready()

        assert ["cba"] == server.translate("abc", model="reverse")
        assert server.is_serving("")
        assert not server.is_serving("bad")
        assert "goldens are not reproduced" in server.models()["bad/1"].reason


def test_sigterm_says_not_serving_then_pauses_then_refuses(tmp_path: Path, models: Path) -> None:
    with running(tmp_path, models, drain_pause_seconds=1.5) as server:
        server.wait_until_ready()
        server.signal()
        server.logged("draining")

        assert not server.is_serving("")
        assert not server.is_serving("reverse")
        assert server.is_serving("liveness")
        assert (503, "draining\n") == server.get("/readyz")
        assert 200 == server.get("/livez")[0]
        assert ["cba"] == server.translate("abc"), "calls are still accepted during the pause"
        assert 0 == server.wait()


def test_sigterm_during_traffic_fails_nothing(tmp_path: Path, models: Path) -> None:
    """Clients that heed health, as a load balancer does, lose not a single call."""
    failures: list[Exception] = []
    answered = [0] * 8
    with running(tmp_path, models, drain_pause_seconds=1) as server:
        server.wait_until_ready()
        look_away = threading.Event()

        def keep_asking(client: int) -> None:
            while not look_away.is_set():
                try:
                    assert ["olleh"] * 20 == server.translate(*["hello"] * 20)
                    answered[client] += 1
                except Exception as error:  # noqa: BLE001 - whatever it is, it is a failure
                    failures.append(error)
                    return

        clients = [threading.Thread(target=keep_asking, args=(n,)) for n in range(8)]
        for client in clients:
            client.start()
        server.wait_for(lambda: all(answered))
        server.signal()
        server.wait_for(lambda: not server.is_serving(""))
        look_away.set()
        for client in clients:
            client.join()

        assert 0 == server.wait()
    assert [] == failures


def test_a_call_that_runs_when_the_door_closes_is_still_answered(
    tmp_path: Path, models: Path
) -> None:
    with running(tmp_path, models) as server:
        server.wait_until_ready()
        texts = ["a quick brown fox jumps over the lazy dog " + str(n) for n in range(200)]
        outcome: list[list[str]] = []
        call = threading.Thread(target=lambda: outcome.append(server.translate(*texts)))
        call.start()
        started = 'grpc_server_started_total{grpc_method="Translate"'
        server.wait_for(lambda: server.metric(started) == 1)
        server.signal()
        call.join()

        assert 0 == server.wait()
    assert [[text[::-1] for text in texts]] == outcome


def test_a_call_that_outlasts_the_drain_is_cut_off_and_the_exit_code_says_so(
    tmp_path: Path, models: Path
) -> None:
    with running(tmp_path, models, drain_seconds=0.05) as server:
        server.wait_until_ready()
        work = pb.TranslateRequest(
            contents=["a quick brown fox jumps over the lazy dog"] * 256,
            options=pb.TranslateOptions(beam=32),
        )
        call = server.translation.Translate.future(work)
        started = 'grpc_server_started_total{grpc_method="Translate"'
        server.wait_for(lambda: server.metric(started) == 1)
        server.signal()

        assert 1 == server.wait()
        assert call.exception() is not None
        server.logged("calls were cut off")


def test_a_second_signal_ends_at_once(tmp_path: Path, models: Path) -> None:
    with running(tmp_path, models, drain_pause_seconds=600) as server:
        server.wait_until_ready()
        server.signal()
        server.logged("draining")
        server.signal()

        assert 1 == server.wait(10)


# -- starts that must fail: one clear line, the right exit code -----------------------------------


def refusal(exit_code: int, *arguments: str, **environment: str) -> str:
    ended = run(*arguments, **environment)

    assert exit_code == ended.returncode, ended.stderr
    assert "" == ended.stdout
    (line,) = [each for each in ended.stderr.splitlines() if not each.startswith("usage")]
    return line


@pytest.mark.parametrize("door", ["listen", "http"])
def test_a_port_in_use_is_one_clear_line(tmp_path: Path, door: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        free = {"listen": "127.0.0.1:0", "http": "127.0.0.1:0", door: address}
        line = refusal(
            1, "--models", str(tmp_path), "--listen", free["listen"], "--http", free["http"]
        )

    assert f"cannot listen on {address}" in line
    assert "in use" in line


def test_two_servers_cannot_share_a_port(tmp_path: Path, models: Path) -> None:
    with running(tmp_path, models) as server:
        line = refusal(1, "--models", str(models), "--listen", server.grpc_address, "--http", "off")

    assert "in use" in line


def test_a_missing_directory_of_models_is_named(tmp_path: Path) -> None:
    line = refusal(2, "--models", str(tmp_path / "nowhere"))

    assert f"--models {tmp_path / 'nowhere'} is not a directory" in line


def test_an_unknown_variable_is_named_with_its_neighbours() -> None:
    line = refusal(2, PARLEY_MAX_ROW="3")

    assert "unknown variable PARLEY_MAX_ROW; did you mean PARLEY_MAX_ROWS" in line


def test_an_illegal_value_is_named_with_its_limit() -> None:
    line = refusal(2, "--threads", "many")

    assert "--threads must be a whole number from 0 to 1024; given 'many'" in line


def test_an_unknown_flag_is_a_wrong_use() -> None:
    assert "--thread" in refusal(2, "--threadz", "1")


def test_the_address_can_come_from_a_variable(tmp_path: Path) -> None:
    line = refusal(2, PARLEY_LISTEN="50051")

    assert "PARLEY_LISTEN must be HOST:PORT" in line


def test_help_teaches_every_flag() -> None:
    from service.settings import options

    shown = run("--help").stdout

    assert all(option.flag in shown for option in options())
    assert "PARLEY_" in shown
    assert "examples:" in shown
