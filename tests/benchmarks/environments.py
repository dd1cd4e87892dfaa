"""The environments that peers live in, each made when it is first asked for."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.machine import ROOT

PEERS = Path(__file__).with_name("peers")  # what runs in them
_PATIENCE_SECONDS = 900


class Missing(Exception):
    """What was to be compared with is not here; the text says why."""


def tools() -> Path:
    """The Python that has CTranslate2, a server for it, BLEU and plots; raises Missing."""
    packages = ("ctranslate2>=4.8,<5", "numpy", "safetensors>=0.4", "mosec>=0.9")
    return _environment(".venv-bench", (*packages, "sacrebleu>=2.5,<3", "matplotlib>=3.9"))


def opennmt() -> Path:
    """The Python that has OpenNMT-py; raises Missing."""
    # It asks for torch < 2.3, and runs with the one that Parley trains with.
    needs = ("configargparse", "ctranslate2>=4.8,<5", "tensorboard", "flask", "waitress")
    others = ("pyyaml", "sacrebleu>=2.5,<3", "rapidfuzz", "pyahocorasick", "six")
    packages = ("torch>=2.13,<2.14", "numpy", *needs, "pyonmttok", *others)
    return _environment(".venv-bench-onmt", packages, alone=("OpenNMT-py==3.5.1",))


def _environment(name: str, packages: Sequence[str], *, alone: Sequence[str] = ()) -> Path:
    """`alone` are packages that are installed without what they ask for."""
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
            command, capture_output=True, text=True, check=True, timeout=_PATIENCE_SECONDS
        )
    except (OSError, subprocess.SubprocessError) as error:
        told = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        raise Missing(f"could not be installed: {told[-1] if told else error}") from None
