"""The vocabulary shortlist of a bundle, learnt from the corpus: IBM Model 1 (Brown et al. 1993).

p(target token | source token) by expectation maximisation; each source token brings the targets
that it makes most probable, and the most frequent targets are always in.

Legend: N target positions of all pairs, L links (a target position with each token of its source,
and with none), P pairs of tokens that are linked somewhere, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.bundle import Shortlist, SpecialIds
from training.data.batches import Example

__all__ = ["train_shortlist"]

Ids = NDArray[np.int64]
Doubles = NDArray[np.float64]

_ITERATIONS = 5
_MAX_PAIRS = 200_000  # more of them change little, and links take memory


def train_shortlist(
    examples: Sequence[Example],
    vocabulary_size: int,
    special: SpecialIds,
    *,
    each: int,
    always: int,
) -> Shortlist:
    """``each`` candidates for every source token, and the ``always`` most frequent targets."""
    if len(examples) > _MAX_PAIRS:
        chosen = np.random.default_rng(0).permutation(len(examples))[:_MAX_PAIRS]
        examples = [examples[i] for i in chosen.tolist()]
    counts_V = np.bincount(np.concatenate([e.target for e in examples]), minlength=vocabulary_size)
    counts_V[[special.pad, special.bos, special.unk]] = 0  # nothing that is ever said
    frequent = np.flatnonzero(counts_V)
    frequent = frequent[np.argsort(-counts_V[frequent], kind="stable")][:always]
    table = _probabilities(_links(examples, vocabulary_size), vocabulary_size)
    ids, offsets = _best(table, vocabulary_size, each)
    return Shortlist(
        always_A=np.union1d(frequent, [special.eos]).astype(np.int64), offsets=offsets, ids=ids
    )


class _Links(NamedTuple):
    targets_L: Ids  # the number of the target position
    pairs_L: Ids  # the number of the pair of tokens
    keys_P: Ids  # source token x V + target token; source token V is none


class _Table(NamedTuple):
    sources_P: Ids
    targets_P: Ids
    probabilities_P: Doubles


def _links(examples: Sequence[Example], vocabulary_size: int) -> _Links:
    source_lengths = np.array([len(e.source) for e in examples])
    target_lengths = np.array([len(e.target) for e in examples])
    sources = np.concatenate([e.source for e in examples])
    targets_N = np.concatenate([e.target for e in examples])
    starts = np.cumsum(source_lengths) - source_lengths
    sentence_N = np.repeat(np.arange(len(examples)), target_lengths)
    links_N = source_lengths[sentence_N] + 1
    targets_L = np.repeat(np.arange(len(targets_N)), links_N)
    offsets_L = np.arange(len(targets_L)) - np.repeat(np.cumsum(links_N) - links_N, links_N)
    none_L = offsets_L == np.repeat(links_N - 1, links_N)
    places_L = np.repeat(starts[sentence_N], links_N) + np.where(none_L, 0, offsets_L)
    sources_L = np.where(none_L, vocabulary_size, sources[places_L])
    keys_L = sources_L * vocabulary_size + targets_N[targets_L]
    keys_P, pairs_L = np.unique(keys_L, return_inverse=True)
    return _Links(targets_L, pairs_L, keys_P)


def _probabilities(links: _Links, vocabulary_size: int) -> _Table:
    sources_P, targets_P = np.divmod(links.keys_P, vocabulary_size)
    probabilities_P = np.ones(len(sources_P))
    for _ in range(_ITERATIONS):
        shares_L = probabilities_P[links.pairs_L]
        shares_L /= np.bincount(links.targets_L, weights=shares_L)[links.targets_L]
        expected_P = np.bincount(links.pairs_L, weights=shares_L, minlength=len(sources_P))
        probabilities_P = expected_P / np.bincount(sources_P, weights=expected_P)[sources_P]
    return _Table(sources_P, targets_P, probabilities_P)


def _best(table: _Table, vocabulary_size: int, each: int) -> tuple[Ids, Ids]:
    """Ids by source token, ascending, and the offsets between which they stand."""
    order_P = np.lexsort((table.targets_P, -table.probabilities_P, table.sources_P))
    sources_P = table.sources_P[order_P]
    first_P = np.searchsorted(sources_P, sources_P)
    kept = order_P[(np.arange(len(order_P)) - first_P < each) & (sources_P < vocabulary_size)]
    kept = np.sort(kept)  # the pairs are numbered by source, then by target
    sizes_V = np.bincount(table.sources_P[kept], minlength=vocabulary_size)
    return table.targets_P[kept], np.concatenate([[0], np.cumsum(sizes_V)]).astype(np.int64)
