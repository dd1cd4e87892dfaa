"""A real server process, talked to as a user would: gRPC, HTTP, signals, its log."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from service.rpc.pb.parley.v1 import translation_pb2 as pb
from service.rpc.pb.parley.v1 import translation_pb2_grpc as pb_grpc

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 30.0  # seconds; only reached when something is wrong
SERVING = health_pb2.HealthCheckResponse.SERVING


class Server:
    """`python -m service serve` on free ports of this machine."""

    def __init__(self, log: Path, models: Path, **flags: object) -> None:
        self._log = log
        settings = {
            "models": models,
            "listen": "127.0.0.1:0",
            "http": "127.0.0.1:0",
            "log_format": "json",
            "poll_seconds": 0.1,
            "drain_pause_seconds": 0,
            **flags,
        }
        arguments = [
            part
            for name, value in settings.items()
            for part in (f"--{name.replace('_', '-')}", str(value))
        ]
        with log.open("wb") as stream:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "service", "serve", *arguments],
                cwd=ROOT,
                stderr=stream,
                stdout=stream,
            )

    def connect(self) -> "Server":
        """Wait until the doors are open, and go through them."""
        listening = self.logged("listening")
        self.grpc_address: str = listening["grpc"]
        self.http_address: str = listening["http"]
        self.channel = grpc.insecure_channel(self.grpc_address)
        self.translation = pb_grpc.TranslationStub(self.channel)
        self._health = health_pb2_grpc.HealthStub(self.channel)
        return self

    # -- asking -----------------------------------------------------------------------------------

    def translate(self, *contents: str, timeout: float = PATIENCE, **fields: Any) -> list[str]:
        answer = self.translation.Translate(
            pb.TranslateRequest(contents=contents, **fields), timeout=timeout
        )
        return [each.translated_text for each in answer.translations]

    def serving_version(self, model: str = "reverse") -> int:
        answer = self.translation.Translate(
            pb.TranslateRequest(contents=["a"], model=model), timeout=PATIENCE
        )
        return int(answer.translations[0].model.partition("/")[2])

    def models(self) -> dict[str, Any]:
        listed = self.translation.ListModels(pb.ListModelsRequest(), timeout=PATIENCE).models
        return {f"{each.name}/{each.version}": each for each in listed}

    def is_serving(self, service: str) -> bool:
        request = health_pb2.HealthCheckRequest(service=service)
        return self._health.Check(request, timeout=PATIENCE).status == SERVING

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://{self.http_address}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def metric(self, line: str) -> float:
        """The value of the one sample whose line begins so (name and labels in full)."""
        (found,) = [each for each in self.get("/metrics")[1].splitlines() if each.startswith(line)]
        return float(found.rpartition(" ")[2])

    # -- waiting ----------------------------------------------------------------------------------

    def entries(self) -> list[dict[str, Any]]:
        """The log so far; what is not JSON (yet) is left out."""
        found = []
        for line in self._log.read_text().splitlines():
            with contextlib.suppress(json.JSONDecodeError):
                found.append(json.loads(line))
        return found

    def logged(self, message: str, **facts: object) -> dict[str, Any]:
        """Wait for a log line that begins with `message` and has these facts."""

        def find() -> dict[str, Any] | None:
            for entry in self.entries():
                if entry["message"].startswith(message) and facts.items() <= entry.items():
                    return entry
            return None

        return self.wait_for(find)

    def wait_until_ready(self) -> "Server":
        self.logged("ready for traffic")
        return self

    def wait_for(self, find: Callable[[], Any], patience: float = PATIENCE) -> Any:
        """Wait until `find` finds something, and return it."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if found := find():
                return found
            if self.process.poll() is not None and not find():
                break
            time.sleep(0.02)
        raise AssertionError(f"waited in vain; the log:\n{self._log.read_text()}")

    # -- ending -----------------------------------------------------------------------------------

    def signal(self, number: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    def wait(self, patience: float = PATIENCE) -> int:
        return self.process.wait(patience)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def running(directory: Path, models: Path, **flags: object) -> Iterator[Server]:
    """A server that is gone afterwards, whatever happens."""
    server = Server(directory / "server.log", models, **flags)
    try:
        with server.connect().channel:
            yield server
    finally:
        server.close()


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `parley serve` to its end, for starts that must fail."""
    return subprocess.run(
        [sys.executable, "-m", "service", "serve", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
