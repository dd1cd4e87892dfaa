"""The machine a run is on: device, precision, threads, and two settings without which CPU training
is slow or grows.
"""

from __future__ import annotations

import ctypes
import os
import random
from typing import Literal

import numpy as np
import torch

from training.config import TrainingConfig

__all__ = ["choose_device", "choose_precision", "prepare_process", "seed_everything"]

# oneDNN keeps a compiled primitive for every shape it has seen; with batches of many shapes that is
# gigabytes.
_PRIMITIVES = "128"
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4


def prepare_process() -> None:
    """Bound oneDNN's cache, and keep freed memory in the process: mapping large temporaries afresh
    at every step costs a sixth of the training speed. Must run before the first computation.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", _PRIMITIVES)
    try:
        libc = ctypes.CDLL("libc.so.6")
    except OSError:  # not glibc: only slower
        return
    libc.mallopt(_M_MMAP_MAX, 0)
    libc.mallopt(_M_TRIM_THRESHOLD, 1 << 30)


def seed_everything(seed: int) -> None:
    """Seed every generator that a library may draw from."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def choose_device() -> torch.device:
    """A GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def choose_precision(config: TrainingConfig, device: torch.device) -> Literal["bf16", "fp32"]:
    """bfloat16 autocast where the hardware multiplies it, else float32."""
    if config.precision != "auto":
        return config.precision
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    return "bf16" if torch.ops.mkldnn._is_mkldnn_bf16_supported() else "fp32"
