"""Subword regularisation: every epoch reads the same sentences, cut into other pieces.

A unigram model draws from all ways to cut a sentence (Kudo 2018, section 3.1); a BPE model leaves
out merges at random (BPE-dropout, Provilkov et al. 2020). SentencePiece does either in 20
microseconds a sentence, so that nothing is prepared ahead or kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import sentencepiece
from numpy.typing import NDArray

from service.bundle.pieces import BLOCK
from training.config import SubwordConfig, TokenizerConfig
from training.data.batches import Example
from training.data.corpus import Pair

__all__ = ["SubwordSampler"]

_SOURCE, _TARGET = 0, 1


class SubwordSampler:
    """The training examples of an epoch.

    The seed, the epoch and the place of a sentence in the corpus decide how it is cut, whatever was
    drawn before: a run that goes on in the middle of an epoch sees what it would have seen.
    """

    def __init__(
        self,
        config: SubwordConfig,
        kind: TokenizerConfig,
        model: bytes,
        pairs: Sequence[Pair],
        examples: Sequence[Example],
    ) -> None:
        """``examples`` are ``pairs`` cut the usual way, eos included."""
        self._config = config
        self._sharpness = config.alpha if kind.model == "unigram" else config.dropout
        self._model: Any = sentencepiece.SentencePieceProcessor(model_proto=model)
        self._pairs = pairs
        self._examples = examples

    def epoch(
        self, number: int, *, seed: int, longest: int, strength: float = 1.0
    ) -> list[Example]:
        """The examples in their usual order, ``strength`` times as many of them cut at random as
        the config says; a side that would come to more than ``longest`` tokens is left as it is.
        """
        sides = [
            self._side(side, share * strength, np.random.default_rng((seed, number, side)), longest)
            for side, share in ((_SOURCE, self._config.source), (_TARGET, self._config.target))
        ]
        return [Example(source, target) for source, target in zip(*sides, strict=True)]

    def _side(
        self, side: int, share: float, rng: np.random.Generator, longest: int
    ) -> Iterator[NDArray[np.int64]]:
        usual = [(e.source, e.target)[side] for e in self._examples]
        if share == 0:
            yield from usual
            return
        chosen = rng.random(len(usual)) < share
        seeds = rng.integers(1, 2**32, len(usual))
        for pair, ids, drawn, seed in zip(
            self._pairs, usual, chosen.tolist(), seeds.tolist(), strict=True
        ):
            if not drawn or BLOCK in pair[side]:  # in pieces it stands for a space
                yield ids
                continue
            sentencepiece.set_random_generator_seed(seed)  # costs 1 % of what follows
            cut = self._model.encode(
                pair[side], enable_sampling=True, nbest_size=-1, alpha=self._sharpness
            )
            yield ids if len(cut) >= longest else np.array([*cut, ids[-1]])
