"""What the numbers were measured on."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

import torch

from service import __version__
from service.threads import usable_cpus

__all__ = ["describe_machine"]


def describe_machine() -> dict[str, str | int | float]:
    """Processor, cores and versions; the load, since a busy machine makes speeds look small."""
    try:
        known = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:  # not Linux
        known = ""
    named = re.search(r"^model name\s*: (.*)$", known, re.MULTILINE)
    return {
        "cpu": named[1] if named else platform.processor() or "unknown",
        "cores": usable_cpus(),
        "threads": torch.get_num_threads(),
        "load when written": round(os.getloadavg()[0], 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "parley": __version__,
    }
