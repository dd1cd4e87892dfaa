"""Batches of sentences of one source length, in an order that a seed and an epoch decide.

Batches of one exact source length need no mask and no packing, which the fused CPU kernels would
pay for dearly; inside a batch the targets are of nearly one length, so that little of it is
padding.

Shapes: B sentences, S source positions, T target positions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from service.bundle import SpecialIds, Tokenizer
from training.config import BatchConfig
from training.data.corpus import Drops, Pair

__all__ = ["Batch", "BatchSampler", "Example", "encode_pairs", "pad_rows"]


@dataclass(frozen=True)
class Example:
    """Ids of one pair, each side ending in eos."""

    source: NDArray[np.int64]
    target: NDArray[np.int64]


@dataclass(frozen=True)
class Batch:
    """What one training step reads, as int64 tensors."""

    source_BS: torch.Tensor
    source_lengths_B: torch.Tensor
    target_in_BT: torch.Tensor  # bos, then the target without its eos
    target_out_BT: torch.Tensor  # the target with its eos; pad where there is none

    @property
    def tokens(self) -> int:
        """Target positions, padding included: what the step costs."""
        return self.target_out_BT.numel()


def encode_pairs(
    pairs: Sequence[Pair], tokenizer: Tokenizer, eos: int, max_tokens: int, drops: Drops
) -> tuple[list[Pair], list[Example]]:
    """The pairs whose sides have at most ``max_tokens`` tokens, eos included, and their ids."""
    kept, examples = [], []
    for number, pair in enumerate(pairs, 1):
        source = [*tokenizer.encode(pair.source), eos]
        target = [*tokenizer.encode_target(pair.target), eos]
        if max(len(source), len(target)) > max_tokens:
            drops.add(f"longer than {max_tokens} tokens", f"pair {number}", pair.source)
        else:
            kept.append(pair)
            examples.append(Example(np.array(source), np.array(target)))
    return kept, examples


def pad_rows(rows: Sequence[NDArray[np.int64]], pad: int) -> torch.Tensor:
    """Rows of ids as one int64 tensor, padded on the right."""
    padded = np.full((len(rows), max(map(len, rows))), pad, dtype=np.int64)
    for filled, row in zip(padded, rows, strict=True):
        filled[: len(row)] = row
    return torch.from_numpy(padded)


class BatchSampler:
    """Every example once an epoch; the same (seed, epoch) gives the same batches in the same
    order.

    ``examples`` are the same in every epoch, or what a function of the epoch says they are.
    """

    def __init__(
        self,
        examples: Sequence[Example] | Callable[[int], Sequence[Example]],
        special: SpecialIds,
        config: BatchConfig,
        seed: int,
    ) -> None:
        self._source = examples if callable(examples) else lambda _: examples
        self._latest: tuple[int, Sequence[Example]] | None = None
        self._special = special
        self._config = config
        self._seed = seed

    def epoch(self, number: int, *, skip: int = 0) -> Iterator[Batch]:
        """The batches of epoch ``number`` after the first ``skip``: where a killed run goes on."""
        examples = self._examples(number)
        for indices in self._plan(number, examples)[skip:]:
            yield self._batch([examples[i] for i in indices])

    def batches_in(self, number: int) -> int:
        return len(self._plan(number, self._examples(number)))

    def _examples(self, epoch: int) -> Sequence[Example]:
        """Those of the latest epoch are kept: they are counted first and read after."""
        if self._latest is None or self._latest[0] != epoch:
            self._latest = epoch, self._source(epoch)
        return self._latest[1]

    def _plan(self, epoch: int, examples: Sequence[Example]) -> list[list[int]]:
        rng = np.random.default_rng((self._seed, epoch))
        rooms: dict[int, list[int]] = defaultdict(list)
        for index in rng.permutation(len(examples)).tolist():
            rooms[len(examples[index].source)].append(index)
        plan: list[list[int]] = []
        for _, room in sorted(rooms.items()):
            # A stable sort keeps the shuffled order among equals: batches differ from epoch to
            # epoch.
            lengths = {index: len(examples[index].target) for index in room}
            plan.extend(self._cut(sorted(room, key=lengths.__getitem__), lengths))
        return [plan[i] for i in rng.permutation(len(plan)).tolist()]

    def _cut(self, room: list[int], lengths: Mapping[int, int]) -> Iterator[list[int]]:
        batch: list[int] = []
        for index in room:
            longest = lengths[index]  # sorted: this one is the longest so far
            full = (len(batch) + 1) * longest > self._config.target_tokens or len(
                batch
            ) == self._config.max_sentences
            if batch and full:
                yield batch
                batch = []
            batch.append(index)
        if batch:
            yield batch

    def _batch(self, examples: list[Example]) -> Batch:
        bos = np.array([self._special.bos])
        return Batch(
            source_BS=pad_rows([e.source for e in examples], self._special.pad),
            source_lengths_B=torch.tensor([len(e.source) for e in examples]),
            target_in_BT=pad_rows(
                [np.concatenate([bos, e.target[:-1]]) for e in examples], self._special.pad
            ),
            target_out_BT=pad_rows([e.target for e in examples], self._special.pad),
        )
