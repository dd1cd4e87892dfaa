"""Opening graphs with onnxruntime: the only module that knows it."""

import ctypes
from typing import Any

import onnxruntime as ort

from service.decoding.processor import products_may_saturate


def open_graph(graph: bytes, threads: int) -> Any:
    """A session that runs `graph` in the caller's thread and, if there are more, its own.

    Raises what onnxruntime raises; its exceptions have no base of their own.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    # Spinning burns most of a core at a few requests a second, for a tenth of a millisecond.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    if products_may_saturate():
        # The weights are converted to a form that cannot, at some cost: goldens hold on old
        # processors too.
        options.add_session_config_entry("session.x64quantprecision", "1")
    options.log_severity_level = 3
    session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    # It would keep the bytes, to begin again on other devices.
    session._model_bytes = None  # there is no public way
    return session


def give_back() -> None:
    """Give memory that was used while opening back to the system; only glibc has to be told.

    It is as much as the graphs themselves take.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def brief(error: Exception) -> str:
    """What it says, on one line of reasonable length."""
    return " ".join(str(error).split())[:300]
