"""The end of a step: scores of all tokens, the best of them, and those that were asked for.

Shapes: R rows, V vocabulary, K candidates, P probes, M members
of an ensemble.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from training.export.builder import GraphBuilder
from training.export.interface import InterfaceGraph

__all__ = ["emit_output"]


def emit_output(made: InterfaceGraph, scores: Sequence[str]) -> None:
    """Declare ``top_k`` and ``probe_ids_RP``, and what answers them, from the ``scores`` [R, V] of
    each member of an ensemble, or of the one model.
    """
    g = made.graph
    top_k = made.input("top_k", "int64", [1])
    probes_RP = made.input("probe_ids_RP", "int64", ["R", "P"])
    # LogSoftmax, then top-k: ReduceLogSumExp is a far slower kernel than LogSoftmax.
    members = [g.op("LogSoftmax", scores_RV, axis=-1) for scores_RV in scores]
    ranked_RV = members[0] if len(members) == 1 else _mean_probs(g, members)
    top_RK, ids_RK = g.ops("TopK", ranked_RV, top_k, outputs=2, axis=-1, sorted=1)
    if len(members) > 1:
        # Probabilities too small for a float were all ranked 0: their logs still have an order.
        unsorted_RK = _log_mean(g, members, ids_RK)
        top_RK, order_RK = g.ops("TopK", unsorted_RK, top_k, outputs=2, axis=-1, sorted=1)
        ids_RK = g.op("GatherElements", ids_RK, order_RK, axis=-1)
    made.output("top_log_probs_RK", top_RK, "float32", ["R", "K"])
    made.output("top_ids_RK", ids_RK, "int64", ["R", "K"])
    made.output("probe_log_probs_RP", _log_mean(g, members, probes_RP), "float32", ["R", "P"])


def _mean_probs(g: GraphBuilder, members: list[str]) -> str:
    return g.op("Mean", *(g.op("Exp", log_probs_RV) for log_probs_RV in members))


def _log_mean(g: GraphBuilder, members: list[str], ids_RX: str) -> str:
    """Log of the mean of the members' probabilities of some tokens.

    log sum exp is x - LogSoftmax(x) for any of the x. ``Log`` itself is not used: its kernel gives
    other bits at the end of an array than within it (onnxruntime 1.24), so that a row would depend
    on how many others there are.
    """
    chosen = [g.op("GatherElements", each, ids_RX, axis=-1) for each in members]
    if len(chosen) == 1:
        return chosen[0]
    each_RXM = g.op("Concat", *(g.op("Unsqueeze", x, g.ints(-1)) for x in chosen), axis=-1)
    shares_RXM = g.op("LogSoftmax", each_RXM, axis=-1)
    sum_RX1, _ = g.ops(
        "Split",
        g.op("Sub", each_RXM, shares_RXM),
        g.ints(1, len(chosen) - 1),
        outputs=2,
        axis=-1,
    )
    count = g.constant(np.array(np.log(len(chosen)), np.float32), "count")
    return g.op("Sub", g.op("Squeeze", sum_RX1, g.ints(-1)), count)
