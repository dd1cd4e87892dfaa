"""What a model learns from: the pairs, and how text becomes ids."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

__all__ = ["DataConfig", "SubwordConfig", "TokenizerConfig"]


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Where the pairs come from. Relative paths are looked up under ``--data-dir``.

    ``tsv``: one pair per line, columns numbered from 0. ``parallel``: two files of the same number
    of lines (``train`` and ``train_target``). A name that ends in ``.gz`` is gzip. The others are
    generated and read no file: ``dates``; ``copy`` and ``reversal`` of strings of ``min_symbols``
    to ``max_symbols`` letters; ``words`` to be gone on with; strings of ``reber``'s grammar to be
    told from others.
    """

    kind: Literal["tsv", "parallel", "dates", "copy", "reversal", "words", "reber"]
    train: str = ""
    dev: str = ""
    train_target: str = ""
    dev_target: str = ""
    source_column: int = 0
    target_column: int = 1
    train_pairs: int = 0  # generated corpora only
    dev_pairs: int = 0
    min_symbols: int = 2  # copy and reversal only
    max_symbols: int = 12
    max_characters: int = 1000
    max_tokens: int = 100
    licence: str = ""
    attribution: str = ""

    def validate(self) -> Iterator[str]:
        if self.generated:
            if min(self.train_pairs, self.dev_pairs) < 1:
                yield "train_pairs and dev_pairs must be at least 1 for a generated corpus"
            if not 2 <= self.min_symbols <= self.max_symbols:
                yield (
                    "min_symbols must be between 2 and max_symbols "
                    f"({self.max_symbols}), not {self.min_symbols}"
                )
        elif not (self.train and self.dev):
            yield f"train and dev must name files for kind {self.kind!r}"
        if self.kind == "parallel" and not (self.train_target and self.dev_target):
            yield "train_target and dev_target must name files for kind 'parallel'"
        if (
            self.source_column == self.target_column
            or min(self.source_column, self.target_column) < 0
        ):
            yield "source_column and target_column must be two different columns, counted from 0"
        if self.max_tokens < 2:
            yield f"max_tokens must be at least 2, not {self.max_tokens}"

    @property
    def generated(self) -> bool:
        """Whether the pairs come from a seed and no file is read."""
        return self.kind not in {"tsv", "parallel"}


@dataclass(frozen=True, kw_only=True)
class TokenizerConfig:
    """``sentencepiece``: one vocabulary for both sides, with byte fallback. ``characters``: a
    character table. ``symbols``: characters in the source, in the target whatever stands between
    spaces, such as the sounds of a word.
    """

    kind: Literal["sentencepiece", "characters", "symbols"] = "sentencepiece"
    model: Literal["unigram", "bpe"] = "unigram"
    vocabulary_size: int = 8000
    # The form of Unicode that characters are read in. ``nfd`` takes a letter and its accents, or
    # the letters of a Korean syllable, one by one.
    normalisation: Literal["identity", "nfc", "nfd", "nfkc", "nfkd"] = "identity"

    def validate(self) -> Iterator[str]:
        if self.kind == "sentencepiece" and self.vocabulary_size < 300:
            yield (
                "vocabulary_size must be at least 300 (256 bytes come first), "
                f"not {self.vocabulary_size}"
            )
        if self.kind == "sentencepiece" and self.normalisation != "identity":
            yield (
                "normalisation is for characters and symbols, SentencePiece has its own; "
                f"not {self.normalisation!r}"
            )


@dataclass(frozen=True, kw_only=True)
class SubwordConfig:
    """Subword regularisation, only while training: how many of the sentences of a side are cut into
    pieces at random, each epoch anew. At 0 a side is always cut the usual way.
    """

    source: float = 0.0
    target: float = 0.0
    # ``unigram``: the lower, the more unusual. Sentences grow by 100 % at 0.1, by 15 % at 0.3, by
    # 4 % at 0.5 (German, 8000 pieces).
    alpha: float = 0.3
    dropout: float = 0.1  # ``bpe``: the share of merges that are left out

    @property
    def active(self) -> bool:
        return self.source > 0 or self.target > 0

    def validate(self) -> Iterator[str]:
        for name in ("source", "target"):
            if not 0 <= getattr(self, name) <= 1:
                yield f"{name} must be in [0, 1], not {getattr(self, name)}"
        if not self.alpha > 0:
            yield f"alpha must be above 0, not {self.alpha}"
        if not 0 < self.dropout < 1:
            yield f"dropout must be in (0, 1), not {self.dropout}"
