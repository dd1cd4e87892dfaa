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

from tests.benchmarks.machine import ROOT

PEERS = Path(__file__).with_name("peers")

# Names and packages of the environments; what is skipped is skipped with the installer's reason.
TOOLS = (
    ".venv-bench",
    ("ctranslate2>=4.8,<5", "numpy", "mosec>=0.9", "sacrebleu>=2.5,<3", "matplotlib>=3.9"),
)
OPENNMT = (
    ".venv-bench-onmt",
    (
        "torch>=2.13,<2.14",
        *("numpy", "configargparse", "ctranslate2>=4.8,<5", "tensorboard", "flask", "waitress"),
        *("pyonmttok", "pyyaml", "sacrebleu>=2.5,<3", "rapidfuzz", "pyahocorasick", "six"),
    ),
)
_INSTALL_SECONDS = 900
MODEL = ROOT / TOOLS[0] / "models" / "transformer-4-4-256"


class Missing(Exception):
    """What was to be compared with is not here; the text says why."""


def environment(name: str, packages: Sequence[str], *, alone: Sequence[str] = ()) -> Path:
    """The Python of the environment `name`, made if need be; raises Missing.

    `alone` are packages that are installed without what they ask for.
    """
    directory = ROOT / name
    python, stamp = directory / "bin" / "python", directory / ".ready"
    wanted = "\n".join([*packages, *alone])
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    print(f"installing {', '.join([*alone, *packages])} into {name}", file=sys.stderr)
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([sys.executable, "-m", "venv", "--clear", directory])
    _run([*install, *packages])
    if alone:
        _run([*install, "--no-deps", *alone])
    stamp.write_text(wanted)
    return python


def _run(command: Sequence[str | Path]) -> None:
    try:
        subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=_INSTALL_SECONDS
        )
    except (OSError, subprocess.SubprocessError) as error:
        told = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        raise Missing(f"could not be installed: {told[-1] if told else error}") from None


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
        work = {"sources": [list(each) for each in sources], "beam": beam, "length": length}
        self._process.stdin.write(json.dumps(work) + "\n")
        self._process.stdin.flush()
        heard = self._hear()
        if heard["tokens"] != length * len(sources):
            raise Missing(f"answered with {heard['tokens']} tokens, not {length * len(sources)}")
        return heard["seconds"]

    def close(self) -> None:
        """End it."""
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()
        self._complaints.close()

    def _hear(self) -> dict:
        line = self._process.stdout.readline()
        if not line:
            self._complaints.seek(0)
            told = self._complaints.read().strip().splitlines()
            raise Missing(f"ended: {told[-1] if told else 'no reason given'}")
        return json.loads(line)


def ctranslate2(cores: Sequence[int]) -> Worker:
    """CTranslate2 on a Transformer 4+4 of width 256, int8, one thread."""
    python = environment(*TOOLS)
    return Worker(python, "ctranslate2_worker.py", MODEL, ",".join(map(str, cores)))


@contextmanager
def mosec(core: int) -> Iterator[int]:
    """The port of mosec around the same CTranslate2, one worker, on `core`; raises Missing."""
    python = environment(*TOOLS)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = ["--address", "127.0.0.1", "--port", str(port), "--log-level", "warning"]
    process = subprocess.Popen(
        ["taskset", "--cpu-list", str(core), python, PEERS / "mosec_server.py", *address],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PEER_MODEL": str(MODEL), "OMP_NUM_THREADS": "1"},
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
    python = environment(*OPENNMT, alone=["OpenNMT-py==3.5.1"])
    model = ROOT / OPENNMT[0] / "models" / "bilstm-512"
    return Worker(python, "opennmt_worker.py", model, ",".join(map(str, cores)))


def opennmt_training(cores: Sequence[int], corpus: Path, tokens: int) -> float:
    """Target tokens a second of OpenNMT-py training the same shape, fp32, one thread."""
    python = environment(*OPENNMT, alone=["OpenNMT-py==3.5.1"])
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
