"""What the figures were measured on, and which cores take part."""

import os
import platform
import re
from importlib.metadata import version
from pathlib import Path

from service import __version__

ROOT = Path(__file__).resolve().parents[2]
_LIBRARIES = ("onnxruntime", "numpy", "grpcio")
_TELLING_FLAGS = ("avx2", "avx512f", "avx512_vnni", "amx_int8")


def description() -> dict[str, object]:
    """The machine and the software, as the table and latest.json tell them."""
    cpuinfo = _text("/proc/cpuinfo")
    flags = set(next(iter(re.findall(r"^flags\s*: (.*)$", cpuinfo, re.MULTILINE)), "").split())
    memory = re.search(r"MemTotal:\s+(\d+) kB", _text("/proc/meminfo"))
    return {
        "cpu": next(iter(re.findall(r"^model name\s*: (.*)$", cpuinfo, re.MULTILINE)), "unknown"),
        "cores": len(os.sched_getaffinity(0)),
        "instructions": [flag for flag in _TELLING_FLAGS if flag in flags],
        "memory_gb": round(int(memory[1]) / 1e6) if memory else None,
        "system": f"{platform.system()} {platform.release()}",
        "load_before": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "parley": __version__,
        **{name: version(name) for name in _LIBRARIES},
    }


def cores() -> tuple[int, int]:
    """The core of what is measured, and another for who asks it (the same where there is one)."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[-1]


def _text(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
