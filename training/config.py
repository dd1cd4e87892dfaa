"""Recipes: one typed TOML file describes one model from corpus to bundle.

Unknown keys, missing keys and values out of range are errors, all reported together with their
dotted path.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from service.bundle import DecodeDefaults, is_language, is_model_name
from service.bundle.schema import SchemaError, parse

__all__ = [
    "BatchConfig",
    "DataConfig",
    "EvaluationConfig",
    "ExportConfig",
    "ModelConfig",
    "OptimConfig",
    "Recipe",
    "RecipeError",
    "SubwordConfig",
    "TokenizerConfig",
    "TrainingConfig",
    "load_recipe",
]


class RecipeError(ValueError):
    """A recipe that cannot be used; the message lists everything that is wrong with it."""


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
    character table.
    """

    kind: Literal["sentencepiece", "characters"] = "sentencepiece"
    model: Literal["unigram", "bpe"] = "unigram"
    vocabulary_size: int = 8000

    def validate(self) -> Iterator[str]:
        if self.kind == "sentencepiece" and self.vocabulary_size < 300:
            yield (
                "vocabulary_size must be at least 300 (256 bytes come first), "
                f"not {self.vocabulary_size}"
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


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """The architecture: an encoder, a decoder, and the values of each.

    A recurrent encoder is ``encoder_hidden`` wide in one direction, a recurrent decoder
    ``decoder_hidden``. Layers of a Transformer and of a hybrid decoder are as wide as the
    ``embedding``. A ``next-symbol`` decoder is a recurrent one that also reads the source (encoder
    ``shared``): nothing is looked back at.
    """

    encoder: Literal["recurrent", "transformer", "shared"] = "recurrent"
    decoder: Literal["recurrent", "hybrid", "transformer", "next-symbol"] = "recurrent"
    cell: Literal["rnn", "lstm", "gru"] = "lstm"  # of a recurrent encoder or decoder
    embedding: int = 256
    heads: int = 4
    encoder_feed_forward: int = 1024
    decoder_feed_forward: int = 1024
    decoder_cell: Literal["lstm", "gru", "ssru"] = "ssru"  # of a hybrid decoder
    conditional: bool = False  # the (lowest) attending layer recurs once more behind its attention
    encoder_hidden: int = 256
    encoder_layers: int = 2
    bidirectional: bool = True
    decoder_hidden: int = 384
    decoder_layers: int = 2
    attention: Literal["none", "dot", "general", "additive", "multihead"] = "general"
    attention_width: int = 256  # additive and multihead only
    # Cells that a recurrent layer goes through in one time step; a conditional layer has two
    # anyhow.
    encoder_transitions: int = 1
    decoder_transitions: int = 1
    cell_norm: bool = False  # layer normalisation inside recurrent cells
    residual: bool = False  # recurrent layers above the lowest add to what they read
    tied_embeddings: bool = True  # source, target and output share one matrix
    dropout: float = 0.2  # of embeddings and between layers, one mask for all time steps
    output_dropout: float = 0.2  # of the read-out before the vocabulary
    word_dropout: float = 0.0  # of whole target words fed to the decoder
    source_word_dropout: float = 0.0  # of whole source words

    def validate(self) -> Iterator[str]:
        for name in (
            "heads",
            "encoder_feed_forward",
            "decoder_feed_forward",
            "embedding",
            "encoder_hidden",
            "encoder_layers",
            "decoder_hidden",
            "decoder_layers",
            "encoder_transitions",
            "decoder_transitions",
        ):
            if getattr(self, name) < 1:
                yield f"{name} must be at least 1, not {getattr(self, name)}"
        for name in ("dropout", "output_dropout", "word_dropout", "source_word_dropout"):
            if not 0 <= getattr(self, name) < 1:
                yield f"{name} must be in [0, 1), not {getattr(self, name)}"
        if (self.encoder == "shared") != (self.decoder == "next-symbol"):
            yield (
                "encoder 'shared' and decoder 'next-symbol' are one network, "
                f"not {self.encoder!r} and {self.decoder!r}"
            )
        wide_as_embedding = self.encoder == "transformer" or self.decoder in {
            "hybrid",
            "transformer",
        }
        if wide_as_embedding and self.embedding % (2 * max(self.heads, 1)):
            yield (
                f"embedding must be a multiple of 2 x heads ({2 * self.heads}), "
                f"not {self.embedding}"
            )
        if self.decoder == "transformer" and self.embedding % (8 * max(self.heads, 1)):
            yield (  # the width of a head that onnxruntime's attention with caches takes
                f"decoder 'transformer' needs embedding to be a multiple of 8 x heads "
                f"({8 * self.heads}), not {self.embedding}"
            )
        if self.decoder in {"hybrid", "transformer"} and self.memory_width != self.embedding:
            yield (
                f"decoder {self.decoder!r} needs a memory as wide as embedding ({self.embedding}), "
                f"not {self.memory_width}"
            )
        if self.decoder == "recurrent" and self.conditional and self.attention == "none":
            yield "conditional: there is nothing to recur behind without attention"
        if self.attention == "multihead" and self.attention_width % max(self.heads, 1):
            yield (
                f"attention 'multihead' needs attention_width to be a multiple of heads "
                f"({self.heads}), not {self.attention_width}"
            )
        if self.attention == "dot" and self.decoder_hidden != self.memory_width:
            yield (
                f"attention 'dot' needs decoder_hidden equal to the memory's width "
                f"{self.memory_width}, not {self.decoder_hidden}; "
                "'general' has a matrix between them"
            )

    @property
    def memory_width(self) -> int:
        """Of what the encoder knows at one position."""
        if self.encoder == "transformer":
            return self.embedding
        if self.encoder == "shared":
            return 1  # of zeros
        return self.encoder_hidden * (2 if self.bidirectional else 1)


@dataclass(frozen=True, kw_only=True)
class BatchConfig:
    """A batch holds sentences of about one length, up to ``target_tokens`` padded target tokens."""

    target_tokens: int = 1600
    max_sentences: int = 512

    def validate(self) -> Iterator[str]:
        if self.target_tokens < 1 or self.max_sentences < 1:
            yield "target_tokens and max_sentences must be at least 1"


@dataclass(frozen=True, kw_only=True)
class OptimConfig:
    """Adam; the rate rises linearly over ``warmup_steps`` and then falls to ``final_rate`` by the
    schedule: ``linear`` and ``cosine`` over the epochs or the budget, ``inverse_sqrt`` by the step,
    ``plateau`` whenever the development score has stopped rising.
    """

    rate: float = 1e-3
    final_rate: float = 2e-5
    warmup_steps: int = 400
    schedule: Literal["constant", "linear", "cosine", "inverse_sqrt", "plateau"] = "cosine"
    plateau_factor: float = 0.5  # ``plateau``: what is left of the rate after so many evaluations
    plateau_patience: int = 2  # without a better score
    betas: tuple[float, ...] = (0.9, 0.98)
    clip_norm: float = 1.0
    label_smoothing: float = 0.1
    ema_decay: float = 0.999  # 0 = off

    def validate(self) -> Iterator[str]:
        if not self.rate > 0:
            yield f"rate must be above 0, not {self.rate}"
        if not 0 <= self.final_rate <= self.rate:
            yield f"final_rate must be between 0 and rate, not {self.final_rate}"
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            yield f"betas must be two numbers in [0, 1), not {list(self.betas)}"
        for name in ("label_smoothing", "ema_decay"):
            if not 0 <= getattr(self, name) < 1:
                yield f"{name} must be in [0, 1), not {getattr(self, name)}"
        if not 0 < self.plateau_factor < 1:
            yield f"plateau_factor must be in (0, 1), not {self.plateau_factor}"
        if self.plateau_patience < 1:
            yield f"plateau_patience must be at least 1, not {self.plateau_patience}"
        if not self.clip_norm > 0:
            yield f"clip_norm must be above 0, not {self.clip_norm}"


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How long, how precisely, and how often to look at the development set."""

    epochs: int
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    evaluations_per_epoch: int = 1
    patience: int = 5  # evaluations without a better score before training ends
    checkpoint_minutes: float = 5.0
    keep_best: int = 1  # evaluations whose weights stay in <run>/checkpoints, for `average`
    average_best: int = 1  # at the end their mean is scored too, and taken if it is better

    def validate(self) -> Iterator[str]:
        for name in ("epochs", "evaluations_per_epoch", "patience", "keep_best", "average_best"):
            if getattr(self, name) < 1:
                yield f"{name} must be at least 1, not {getattr(self, name)}"


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """What early stopping and the manifest's quality entry measure, and how decoding is done by
    default.
    """

    metric: Literal["bleu", "chrf", "exact_match"] = "bleu"
    beam: int = 5
    length_normalisation: Literal["none", "average", "gnmt"] = "gnmt"
    length_penalty: float = 1.0
    coverage_penalty: float = 0.0
    max_length_ratio: float = 2.0
    max_length_offset: int = 10
    minimum: float = 0.0  # below this, nothing is published

    def validate(self) -> Iterator[str]:
        defaults = DecodeDefaults(
            beam=self.beam,
            length_normalisation=self.length_normalisation,
            length_penalty=self.length_penalty,
            coverage_penalty=self.coverage_penalty,
            max_length_ratio=self.max_length_ratio,
            max_length_offset=self.max_length_offset,
        )
        yield from defaults.validate()  # what the bundle would refuse after hours of training


@dataclass(frozen=True, kw_only=True)
class ExportConfig:
    """``int8-static``: weights and activations in 8 bits with calibrated scales
    (batch-invariant).

    With a ``shortlist`` plain searches score only the ``shortlist`` likeliest translations of each
    source token and the ``shortlist_frequent`` most frequent target tokens; 0 is no shortlist.
    """

    quantisation: Literal["none", "int8-static"] = "int8-static"
    calibration_sentences: int = 512
    max_quality_drop: float = 0.5  # of the metric, fp32 to what is published
    shortlist: int = 0
    shortlist_frequent: int = 200
    goldens: int = 16

    def validate(self) -> Iterator[str]:
        if self.shortlist < 0 or self.shortlist_frequent < 0:
            yield "shortlist and shortlist_frequent must not be negative"
        if self.shortlist and self.quantisation == "none":
            yield "shortlist needs quantisation 'int8-static': only exact products are comparable"
        for name in ("calibration_sentences", "goldens"):
            if getattr(self, name) < 1:
                yield f"{name} must be at least 1, not {getattr(self, name)}"


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that decides what a model becomes."""

    name: str
    source_language: str
    target_language: str
    data: DataConfig
    training: TrainingConfig
    task: Literal["translation", "transduction"] = "translation"
    seed: int = 1
    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)
    subwords: SubwordConfig = field(default_factory=SubwordConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    batches: BatchConfig = field(default_factory=BatchConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    export: ExportConfig = field(default_factory=ExportConfig)

    def validate(self) -> Iterator[str]:
        if not is_model_name(self.name):
            yield f"name: {self.name!r} cannot name a model (letters, digits and . _ -)"
        for name in ("source_language", "target_language"):
            if not is_language(getattr(self, name)):
                yield f"{name}: {getattr(self, name)!r} is no BCP-47 language tag"
        if not 0 <= self.seed < 2**32:
            yield f"seed: must be in 0..{2**32 - 1}, not {self.seed}"
        if (
            self.optim.schedule == "plateau"
            and self.optim.plateau_patience >= self.training.patience
        ):
            yield (
                f"optim.plateau_patience: {self.optim.plateau_patience} must be below "
                f"training.patience {self.training.patience}, or training ends before the rate "
                "falls"
            )
        if self.subwords.active and self.tokenizer.kind == "characters":
            yield "subwords: a character can be cut in one way only; source and target must be 0"


def load_recipe(path: Path) -> tuple[Recipe, str]:
    """The recipe at ``path`` and the SHA-256 of its text, which the manifest records.

    Raises:
        RecipeError: the file cannot be read, is not TOML, or does not describe a recipe.
    """
    try:
        text = path.read_text(encoding="utf-8")
        recipe = parse(Recipe, tomllib.loads(text))
    except OSError as error:
        raise RecipeError(f"{path}: {error.strerror or error}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RecipeError(f"{path}: not a TOML file: {error}") from None
    except SchemaError as error:
        listed = "\n".join(f"  {problem}" for problem in error.problems)
        raise RecipeError(f"{path}: {len(error.problems)} problem(s)\n{listed}") from None
    return recipe, hashlib.sha256(text.encode()).hexdigest()
