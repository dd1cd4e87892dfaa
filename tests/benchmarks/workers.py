"""The peers: each in an environment of its own, driven through its standard input.

A worker stays up for the whole run, so that its turns and ours can alternate. It times itself,
around its own call alone: what it costs to speak to it is not on its account.
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks import environments
from tests.benchmarks.environments import PEERS, Missing


class Worker:
    """One peer, ready to translate; raises Missing when it cannot be started or has died."""

    def __init__(self, python: Path, script: str, *arguments: str | Path) -> None:
        # A pipe that nobody reads would fill up.
        self._complaints = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed by `close`
        self._process = subprocess.Popen(
            [python, PEERS / script, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1"},
        )
        try:
            self.name: str = self._hear()["name"]
        except Missing:
            self.close()
            raise

    def translate(self, sources: Sequence[Sequence[int]], *, beam: int, length: int) -> float:
        """Seconds for a batch, each of whose sentences gets exactly `length` target tokens."""
        heard = self._ask({"sources": sources, "beam": beam, "length": length})
        if heard["tokens"] != length * len(sources):
            raise Missing(f"answered with {heard['tokens']} tokens, not {length * len(sources)}")
        return heard["seconds"]

    def translate_to_ends(
        self, sources: Sequence[Sequence[int]], *, beam: int
    ) -> tuple[float, list[list[int]]]:
        """Seconds, and the target ids of each source, which end where the peer's weights say so."""
        heard = self._ask({"sources": sources, "beam": beam, "length": None})
        return heard["seconds"], heard["targets"]

    def close(self) -> None:
        """End it."""
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()
        self._complaints.close()

    def _ask(self, work: dict) -> dict:
        self._process.stdin.write(json.dumps(work) + "\n")
        self._process.stdin.flush()
        return self._hear()

    def _hear(self) -> dict:
        line = self._process.stdout.readline()
        if not line:
            self._complaints.seek(0)
            told = self._complaints.read().strip().splitlines()
            raise Missing(f"ended: {told[-1] if told else 'no reason given'}")
        return json.loads(line)


def ctranslate2(cores: Sequence[int], model: Path) -> Worker:
    """CTranslate2 on a Transformer, int8, one thread."""
    python = environments.tools()
    return Worker(python, "ctranslate2_worker.py", model, ",".join(map(str, cores)))


@contextmanager
def mosec(core: int, model: Path) -> Iterator[int]:
    """The port of mosec around CTranslate2, one worker, on `core`; raises Missing."""
    python = environments.tools()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = ["--address", "127.0.0.1", "--port", str(port), "--log-level", "warning"]
    process = subprocess.Popen(
        ["taskset", "--cpu-list", str(core), python, PEERS / "mosec_server.py", *address],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PEER_MODEL": str(model), "OMP_NUM_THREADS": "1"},
    )
    try:
        _await_port(port, process)
        yield port
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def http_load(port: int, core: int, bodies: Sequence[str], load: Sequence[float]) -> dict:
    """What callers on `core` find; `load` is callers, seconds to warm up, seconds to measure."""
    command = ["taskset", "--cpu-list", str(core), sys.executable, PEERS / "http_load.py"]
    done = subprocess.run(
        [*command, str(port), *map(str, load)],
        input="\n".join(bodies),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Missing(f"cannot be called: {done.stderr.strip().splitlines()[-1]}")
    return json.loads(done.stdout)


def _await_port(port: int, process: subprocess.Popen, patience: float = 60.0) -> None:
    end = time.monotonic() + patience
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            time.sleep(2)  # it listens before its worker has loaded the model
            return
        time.sleep(0.1)
    raise Missing("did not begin to listen")


def opennmt(cores: Sequence[int]) -> Worker:
    """OpenNMT-py on a bidirectional LSTM of width 512 with attention, fp32, one thread."""
    python = environments.opennmt()
    model = python.parents[1] / "models" / "bilstm-512"  # it makes it, with random weights
    return Worker(python, "opennmt_worker.py", model, ",".join(map(str, cores)))


def opennmt_training(cores: Sequence[int], corpus: Path, tokens: int) -> float:
    """Target tokens a second of OpenNMT-py training the same shape, fp32, one thread."""
    python = environments.opennmt()
    arguments = [str(corpus), ",".join(map(str, cores)), str(tokens)]
    done = subprocess.run(
        [python, PEERS / "opennmt_trainer.py", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1"},
    )
    if done.returncode:
        raise Missing(f"cannot train: {done.stderr.strip().splitlines()[-1]}")
    return json.loads(done.stdout)["tokens_per_second"]
