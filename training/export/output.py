"""The end of a step: scores of all tokens, the best of them, and those that were asked for.

Shapes: R rows, E width of the read-out, V vocabulary, K candidates, P probes.
"""

from __future__ import annotations

from torch import nn

from training.export.arithmetic import Arithmetic
from training.export.common import linear
from training.export.interface import InterfaceGraph

__all__ = ["emit_output"]


def emit_output(
    made: InterfaceGraph, arithmetic: Arithmetic, readout_RE: str, output: nn.Linear
) -> None:
    """Declare ``top_k`` and ``probe_ids_RP``, and what answers them."""
    g = made.graph
    top_k = made.input("top_k", "int64", [1])
    probes_RP = made.input("probe_ids_RP", "int64", ["R", "P"])
    scores_RV = linear(g, arithmetic, readout_RE, output, "decoder.output")
    # LogSoftmax, then top-k: ReduceLogSumExp is a far slower kernel than LogSoftmax.
    log_probs_RV = g.op("LogSoftmax", scores_RV, axis=-1)
    top_RK, ids_RK = g.ops("TopK", log_probs_RV, top_k, outputs=2, axis=-1, sorted=1)
    made.output("top_log_probs_RK", top_RK, "float32", ["R", "K"])
    made.output("top_ids_RK", ids_RK, "int64", ["R", "K"])
    probed_RP = g.op("GatherElements", log_probs_RV, probes_RP, axis=-1)
    made.output("probe_log_probs_RP", probed_RP, "float32", ["R", "P"])
