"""The third part: real sentences, with attention and without. The same text, tokenizer, batches and
steps for each; what they are asked for is scored apart by the length of the source.

Without texts of yours the corpus is generated dates: the task is real, the sentences are not.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.bundle import load_tokenizer
from training.config import BatchConfig, DataConfig, EvaluationConfig, TokenizerConfig
from training.data.batches import BatchSampler, encode_pairs
from training.data.corpus import Corpus, CorpusError, Reference, group_references, read_corpus
from training.data.fitting import SPECIAL_IDS, fit_tokenizer
from training.decode import greedy_decode, length_limit
from training.evaluate import Metric, score
from training.lab.fitting import fit
from training.lab.maps import attention_map
from training.lab.plan import Sizes
from training.lab.rungs import Rung
from training.models import Seq2Seq, make_model

__all__ = ["TextTask", "length_buckets"]

_MAPS = 3  # sentences whose attention is drawn
_MAX_TOKENS = 64


class TextTask:
    """The corpus and its tests, which every rung gets alike."""

    def __init__(self, texts: DataConfig | None, root: Path, sizes: Sizes, seed: int) -> None:
        self.texts, self.root, self.sizes, self.seed = texts, root, sizes, seed
        self.metric: Metric = "bleu" if texts else "exact_match"
        self.tokenizer_config = (
            TokenizerConfig(model="bpe", vocabulary_size=sizes.vocabulary)
            if texts
            else TokenizerConfig(kind="characters")
        )

    def about(self) -> dict[str, Any]:
        """What the report says of the corpus."""
        return {
            "corpus": Path(self.texts.train).name if self.texts else "dates",
            "given": self.texts is not None,
            "attribution": self.texts.attribution if self.texts else "",
            "metric": self.metric,
            "train_pairs": len(self._corpus.train),
            "dev_sources": len(self._dev),
            "unit": "words" if self.texts else "characters",
            "buckets": self._buckets,
        }

    def measure(self, rung: Rung, tick: Callable[[], None]) -> dict[str, Any]:
        """Train a rung; its score for each bucket of source lengths, and maps of its attention."""
        sizes, spec = self.sizes, self._tokenizer[0]
        model = make_model(rung.recipe.model, spec.vocabulary_size, self.seed)
        _, examples = encode_pairs(
            self._corpus.train, self._reader, SPECIAL_IDS.eos, _MAX_TOKENS, self._corpus.drops
        )
        batches = BatchConfig(target_tokens=sizes.text_tokens)
        sampler = BatchSampler(examples, SPECIAL_IDS, batches, self.seed)
        fitted, nll = fit(model, sampler, rung.recipe.optim, SPECIAL_IDS, sizes.text_steps, tick)
        outputs = self._answers(fitted)
        return {
            "parameters": sum(p.numel() for p in model.parameters()),
            "nll": nll,
            "all": self._score(outputs, range(len(self._dev))),
            "by_length": [self._score(outputs, chosen) for chosen in self._members],
            "maps": [self._map(fitted, i) for i in self._drawn()] if rung.attends else [],
        }

    @cached_property
    def _corpus(self) -> Corpus:
        sizes = self.sizes
        if self.texts is None:
            config = DataConfig(
                kind="dates", train_pairs=sizes.text_pairs, dev_pairs=sizes.text_dev
            )
            return read_corpus(config, self.root, self.seed)
        alone = not self.texts.dev
        config = dataclasses.replace(self.texts, dev=self.texts.dev or self.texts.train)
        corpus = read_corpus(config, self.root, self.seed)
        train, dev = corpus.train, corpus.dev
        if alone:  # one source in twenty; all its translations go with it
            train = [pair for pair in train if not _held_out(pair.source)]
            dev = [pair for pair in dev if _held_out(pair.source)]
        if not train or not dev:
            raise CorpusError(f"{self.texts.train}: too small to hold some of it out; give --dev")
        order = np.random.default_rng(self.seed).permutation(len(train))[: sizes.text_pairs]
        return Corpus([train[i] for i in order.tolist()], dev, corpus.drops)

    @cached_property
    def _dev(self) -> list[Reference]:
        """Not in the file's order, which may be that of their lengths."""
        every = group_references(self._corpus.dev)
        order = np.random.default_rng(self.seed).permutation(len(every))[: self.sizes.text_dev]
        return [every[i] for i in order.tolist()]

    @cached_property
    def _tokenizer(self) -> Any:
        return fit_tokenizer(self.tokenizer_config, self._corpus.train, self.seed)

    @cached_property
    def _reader(self) -> Any:
        spec, file = self._tokenizer
        return load_tokenizer(spec, SPECIAL_IDS, file)

    @cached_property
    def _lengths(self) -> list[int]:
        sources = [entry.source for entry in self._dev]
        return [len(source.split()) if self.texts else len(source) for source in sources]

    @cached_property
    def _buckets(self) -> list[tuple[int, int]]:
        return length_buckets(self._lengths, self.sizes.buckets)

    @property
    def _members(self) -> list[list[int]]:
        """Which sources belong to each bucket."""
        return [
            [i for i, length in enumerate(self._lengths) if low <= length <= high]
            for low, high in self._buckets
        ]

    def _source(self, index: int) -> NDArray[np.int64]:
        ids = self._reader.encode(self._dev[index].source)
        return np.array([*ids[: _MAX_TOKENS - 1], SPECIAL_IDS.eos])

    def _answers(self, model: Seq2Seq) -> list[str]:
        sources = [self._source(i) for i in range(len(self._dev))]
        limits = [length_limit(len(each), EvaluationConfig(), _MAX_TOKENS) for each in sources]
        outputs = greedy_decode(model, sources, SPECIAL_IDS, limits)
        return [self._reader.decode(ids) for ids in outputs]

    def _score(self, outputs: Sequence[str], chosen: Sequence[int]) -> float:
        references = [self._dev[i].targets for i in chosen]
        return score(self.metric, [outputs[i] for i in chosen], references).value

    def _drawn(self) -> list[int]:
        """Sentences whose maps can be read: neither short nor long."""
        middle = sorted(self._lengths)[len(self._lengths) * 2 // 3]
        return sorted(range(len(self._dev)), key=lambda i: abs(self._lengths[i] - middle))[:_MAPS]

    def _map(self, model: Seq2Seq, index: int) -> dict[str, Any]:
        source = self._source(index)
        limit = length_limit(len(source), EvaluationConfig(), _MAX_TOKENS)
        return attention_map(model, source, self._reader, SPECIAL_IDS, limit)


def length_buckets(lengths: Sequence[int], count: int) -> list[tuple[int, int]]:
    """At most ``count`` ranges of lengths, both ends included, that hold about equally many; a
    length belongs to one of them.
    """
    ranked = sorted(lengths)
    cuts = {ranked[len(ranked) * i // count] for i in range(1, count)} - {ranked[0]}
    lows = [ranked[0], *sorted(cuts)]
    return list(zip(lows, [*(low - 1 for low in lows[1:]), ranked[-1]], strict=True))


def _held_out(source: str) -> bool:
    return zlib.crc32(source.encode()) % 20 == 0
