"""What the processor can do, where it decides how a graph must be run."""

import platform
from pathlib import Path

_CPU_INFO = Path("/proc/cpuinfo")
_EIGHT_BIT_DOT_PRODUCTS = {"avx512_vnni", "avx_vnni"}


def products_may_saturate(machine: str = platform.machine(), info: Path = _CPU_INFO) -> bool:
    """Whether 8-bit products are added in 16 bits here, where two large ones overflow.

    True for x86 without VNNI instructions; other processors, and x86 with them, add in 32 bits.
    When the kernel does not tell, an x86 is taken for an old one: that costs speed, not results.
    """
    if machine not in {"x86_64", "AMD64"}:
        return False
    try:
        lines = info.read_text(encoding="utf-8").splitlines()
    except OSError:
        return True
    flags = next((line for line in lines if line.startswith("flags")), "")
    return _EIGHT_BIT_DOT_PRODUCTS.isdisjoint(flags.split())
