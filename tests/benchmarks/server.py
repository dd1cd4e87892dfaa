"""A real `parley serve`, and `parley bench` against it."""

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.benchmarks.machine import ROOT

_PATIENCE = 60.0


class Server:
    """A server process that is ready for traffic."""

    def __init__(self, process: subprocess.Popen, address: str, seconds_to_ready: float) -> None:
        self._process = process
        self.address = address
        self.seconds_to_ready = seconds_to_ready

    @classmethod
    @contextmanager
    def running(cls, models: Path, core: int | None, **flags: object) -> Iterator["Server"]:
        """Start a server on `core` (None: on all of them) and end it afterwards."""
        settings = {"listen": "127.0.0.1:0", "http": "off", "log_format": "json", **flags}
        options = [
            part
            for name, value in {"models": models, **settings}.items()
            for part in (f"--{name.replace('_', '-')}", str(value))
        ]
        started = time.perf_counter()
        process = subprocess.Popen(
            [*_pinned(core), sys.executable, "-m", "service", "serve", *options],
            cwd=ROOT,
            env=_environment(),
            stderr=subprocess.PIPE,
            text=True,
        )
        address = ""
        watchdog = threading.Timer(_PATIENCE, process.kill)
        rest = threading.Thread(target=process.stderr.read)  # or a full pipe would stop the server
        watchdog.start()
        try:
            for line in process.stderr:
                entry = json.loads(line)
                if entry["message"].startswith("listening"):
                    address = entry["grpc"]
                if entry["message"].startswith("ready for traffic"):
                    break
            else:
                raise RuntimeError("the server did not become ready")
            ready = time.perf_counter() - started
            watchdog.cancel()
            rest.start()
            yield cls(process, address, ready)
        finally:
            watchdog.cancel()
            process.kill()
            process.wait()
            if rest.ident is not None:
                rest.join()
            process.stderr.close()

    def resident_mb(self) -> float:
        """Resident memory of the process now."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) / 1024

    def cpu_seconds(self) -> dict[str, float]:
        """CPU time so far, by thread."""
        tick = os.sysconf("SC_CLK_TCK")
        found = {}
        for task in Path(f"/proc/{self._process.pid}/task").iterdir():
            fields = (task / "stat").read_text().rpartition(")")[2].split()
            found[task.name] = (int(fields[11]) + int(fields[12])) / tick
        return found

    def bench(self, core: int | None, texts: Path, **options: object) -> dict[str, Any]:
        """What `parley bench` on `core` tells of this server; raises RuntimeError when it fails."""
        flags = [
            part
            for name, value in options.items()
            for part in (f"--{name.replace('_', '-')}", str(value))
        ]
        command = [*_pinned(core), sys.executable, "-m", "service", "bench", "--json"]
        done = subprocess.run(
            [*command, "--server", self.address, *flags, str(texts)],
            cwd=ROOT,
            env=_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"parley bench: {(done.stderr or done.stdout).strip()}")
        told: dict[str, Any] = json.loads(done.stdout)
        if told["errors"]:
            raise RuntimeError(f"calls failed: {told['errors']}")
        return told


def _environment() -> dict[str, str]:
    """Without the settings of somebody else's server."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PARLEY_")}


def _pinned(core: int | None) -> list[str]:
    return [] if core is None else ["taskset", "--cpu-list", str(core)]
