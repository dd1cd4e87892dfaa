"""The end of a step: scores of tokens, the best of them, and those that were asked for.

Shapes: R rows, E width of a read-out, V vocabulary, K candidates given out, P probes, M members of
an ensemble; with a shortlist X rows that are scored over the whole vocabulary, Y the others, W
candidates of all of them together, C candidates of a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from torch import nn

from service.bundle.graphs import (
    CANDIDATE_COUNTS,
    CANDIDATE_IDS,
    CANDIDATES,
    PROBED,
    PROBES,
    ROW_ORDER,
    SHORT_IDS,
    SHORT_LOG_PROBS,
    SHORT_ROWS,
    SHORTLISTING,
    TOP_IDS,
    TOP_K,
    TOP_LOG_PROBS,
    WHOLE_ROWS,
)
from training.export.arithmetic import Arithmetic
from training.export.builder import GraphBuilder
from training.export.common import linear
from training.export.interface import InterfaceGraph, array

__all__ = ["Head", "emit_output", "emit_shortlisted_output"]

_PLACE = "decoder.output"


class Head(NamedTuple):
    """What the scores of one member of an ensemble, or of the one model, are made from."""

    readout_RE: str
    output: nn.Linear
    arithmetic: Arithmetic


class _Best(NamedTuple):
    """The best K tokens of some rows, and log-probabilities of the probes."""

    log_probs_RK: str
    ids_RK: str
    probed_RP: str


def emit_output(made: InterfaceGraph, heads: Sequence[Head]) -> None:
    """Every row over the whole vocabulary."""
    top_k = made.input(TOP_K, "int64", [1])
    probes_RP = made.input(PROBES, "int64", ["R", "P"])
    _give(made, _over_all(made.graph, heads, top_k, probes_RP))


def emit_shortlisted_output(made: InterfaceGraph, heads: Sequence[Head], padding: int) -> None:
    """Some rows over the whole vocabulary, the others over their own candidates, whose lists are
    filled up with the token ``padding``.
    """
    g = made.graph
    top_k = made.input(TOP_K, "int64", [1])
    probes_RP = made.input(PROBES, "int64", ["R", "P"])
    told = {
        name: made.input(name, dtype, list(shape))
        for name, (dtype, shape) in SHORTLISTING.items()
        if name != CANDIDATE_COUNTS  # the padding needs no telling apart
    }

    def of(rows: str) -> list[Head]:
        return [head._replace(readout_RE=g.op("Gather", head.readout_RE, rows)) for head in heads]

    probes_XP = g.op("Gather", probes_RP, told[WHOLE_ROWS])
    whole = _over_all(g, of(told[WHOLE_ROWS]), top_k, probes_XP)
    short = _over_candidates(g, of(told[SHORT_ROWS]), top_k, told, padding)
    in_order = (
        g.op("Gather", g.op("Concat", *parts, axis=0), told[ROW_ORDER])
        for parts in zip(whole, short, strict=True)
    )
    _give(made, _Best(*in_order))
    made.output(SHORT_LOG_PROBS, short.log_probs_RK, "float32", ["Y", "K"])
    made.output(SHORT_IDS, short.ids_RK, "int64", ["Y", "K"])


def _over_all(g: GraphBuilder, heads: Sequence[Head], top_k: str, probes_RP: str) -> _Best:
    # LogSoftmax, then top-k: ReduceLogSumExp is a far slower kernel than LogSoftmax.
    members = [
        g.op("LogSoftmax", linear(g, arithmetic, readout_RE, output, _PLACE), axis=-1)
        for readout_RE, output, arithmetic in heads
    ]
    top_RK, ids_RK = _ranked(g, members, top_k)
    return _Best(top_RK, ids_RK, _log_mean(g, members, probes_RP))


def _over_candidates(
    g: GraphBuilder, heads: Sequence[Head], top_k: str, told: dict[str, str], padding: int
) -> _Best:
    """One product scores all rows over the union of their candidates. In 8 bits a score is exact
    whatever stands beside it; then every row takes its own, in their own order, so that the sums
    below the softmax run over the same numbers in any company. Padding is impossible by its bias.
    """
    members = []
    for readout_YE, output, arithmetic in heads:
        bias_V = array(output.bias).copy()
        bias_V[padding] = -np.inf
        layer = array(output.weight), bias_V
        scores_YW = arithmetic.selected(g, readout_YE, layer, _PLACE, told[CANDIDATE_IDS])
        scores_YC = g.op("GatherElements", scores_YW, told[CANDIDATES], axis=1)
        members.append(g.op("LogSoftmax", scores_YC, axis=-1))
    top_YK, best_YK = _ranked(g, members, top_k)
    places_YK = g.op("GatherElements", told[CANDIDATES], best_YK, axis=1)
    # Nobody asks short rows for single tokens: the answer is that they are impossible.
    rows = g.op("Shape", told[SHORT_ROWS], start=0, end=1)
    asked = g.op("Concat", rows, g.op("Shape", PROBES, start=1, end=2), axis=0)
    never = g.constant(np.array(-np.inf, np.float32), "never")
    unasked_YP = g.op("Expand", never, asked)
    return _Best(top_YK, g.op("Gather", told[CANDIDATE_IDS], places_YK), unasked_YP)


def _give(made: InterfaceGraph, best: _Best) -> None:
    made.output(TOP_LOG_PROBS, best.log_probs_RK, "float32", ["R", "K"])
    made.output(TOP_IDS, best.ids_RK, "int64", ["R", "K"])
    made.output(PROBED, best.probed_RP, "float32", ["R", "P"])


def _ranked(g: GraphBuilder, members: Sequence[str], top_k: str) -> tuple[str, str]:
    """The K most probable columns, and their log-probabilities; of the mean of all members."""
    ranked_RV = members[0] if len(members) == 1 else _mean_probs(g, members)
    top_RK, columns_RK = g.ops("TopK", ranked_RV, top_k, outputs=2, axis=-1, sorted=1)
    if len(members) > 1:
        # Probabilities too small for a float were all ranked 0: their logs still have an order.
        mean_RK = _log_mean(g, members, columns_RK)
        # What is impossible to all members has no mean.
        never = g.constant(np.array(-np.inf, np.float32), "never")
        unsorted_RK = g.op("Where", g.op("IsNaN", mean_RK), never, mean_RK)
        top_RK, order_RK = g.ops("TopK", unsorted_RK, top_k, outputs=2, axis=-1, sorted=1)
        columns_RK = g.op("GatherElements", columns_RK, order_RK, axis=-1)
    return top_RK, columns_RK


def _mean_probs(g: GraphBuilder, members: Sequence[str]) -> str:
    return g.op("Mean", *(g.op("Exp", log_probs_RV) for log_probs_RV in members))


def _log_mean(g: GraphBuilder, members: Sequence[str], ids_RX: str) -> str:
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
