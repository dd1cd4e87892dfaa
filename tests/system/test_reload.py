"""A new version is published into the directory of a running server under load."""

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.bundles import flip_byte, publish, publish_with_wrong_goldens
from tests.system.server import Server, running


@contextmanager
def load(server: Server, clients: int = 4) -> Iterator[list[Exception]]:
    """Clients that ask without a pause; yields the list of their failures."""
    failures: list[Exception] = []
    over = threading.Event()

    def keep_asking() -> None:
        while not over.is_set():
            try:
                assert ["olleh", "dlrow"] == server.translate("hello", "world")
            except Exception as error:  # noqa: BLE001 - whatever it is, it is a failure
                failures.append(error)

    threads = [threading.Thread(target=keep_asking) for _client in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield failures
    finally:
        over.set()
        for thread in threads:
            thread.join()


def test_a_new_version_takes_over_within_ten_seconds_and_no_request_fails(
    tmp_path: Path, models: Path
) -> None:
    with running(tmp_path, models, poll_seconds=1) as server:
        server.wait_until_ready()
        with load(server) as failures:
            publish(models, version=2)
            published = time.monotonic()
            server.wait_for(lambda: server.serving_version() == 2)
            seconds = time.monotonic() - published
            server.logged("unloaded", version=1)

        assert [] == failures
        assert seconds < 10
        assert 2 == server.metric('parley_model_serving_version{model="reverse"}')
        assert 'version="1",state' not in server.get("/metrics")[1]


def test_a_bad_version_leaves_the_old_one_serving_and_says_why(
    tmp_path: Path, models: Path
) -> None:
    with running(tmp_path, models) as server:
        server.wait_until_ready()
        with load(server) as failures:
            tampered = publish(tmp_path / "elsewhere", version=2)
            flip_byte(tampered / "decoder.onnx")
            tampered.rename(models / "reverse" / "2")
            refused = server.logged("refused", version=2)
            publish_with_wrong_goldens(models, version=3)
            unproven = server.logged("refused", version=3)

        assert [] == failures
        assert 1 == server.serving_version()
        assert "decoder.onnx: its SHA-256 is not the one in the manifest" in refused["reason"]
        assert "goldens are not reproduced" in unproven["reason"]
        assert 1 == refused["serving"]
        listed = server.models()
        assert listed["reverse/1"].serving
        assert refused["reason"] == listed["reverse/2"].reason
        assert unproven["reason"] == listed["reverse/3"].reason
        failed = 'parley_model_load_failures_total{model="reverse",reason='
        assert 1 == server.metric(f'{failed}"bundle"}}')
        assert 1 == server.metric(f'{failed}"goldens"}}')
        assert 1 == server.metric('parley_model_serving_version{model="reverse"}')
        assert server.is_serving("reverse")


def test_a_version_that_is_copied_file_by_file_is_loaded_in_the_end(
    tmp_path: Path, models: Path
) -> None:
    source = publish(tmp_path / "elsewhere", version=2)
    target = models / "reverse" / "2"
    with running(tmp_path, models) as server:
        server.wait_until_ready()
        target.mkdir()
        for file in sorted(source.iterdir(), reverse=True):
            shutil.copy(file, target)
            if file.name == "manifest.json":  # long enough to be looked at, and refused
                server.logged("refused", version=2)
        server.wait_for(lambda: server.serving_version() == 2)


def test_removing_the_newest_version_rolls_back(tmp_path: Path, models: Path) -> None:
    publish(models, version=2)
    with running(tmp_path, models) as server:
        server.wait_until_ready()
        assert 2 == server.serving_version()
        with load(server) as failures:
            (models / "reverse" / "2").rename(tmp_path / "withdrawn")
            server.wait_for(lambda: server.serving_version() == 1)

        assert [] == failures


def test_removing_a_model_ends_it_and_readiness_follows(tmp_path: Path, models: Path) -> None:
    with running(tmp_path, models) as server:
        server.wait_until_ready()
        (models / "reverse").rename(tmp_path / "withdrawn")
        server.logged("not ready for traffic")

        assert not server.is_serving("")
        assert not server.is_serving("reverse")
        assert 503 == server.get("/readyz")[0]
        assert 200 == server.get("/livez")[0]
