"""What a model is measured by, and what it is published as."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from service.bundle import DecodeDefaults

__all__ = ["EvaluationConfig", "ExportConfig"]


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """What early stopping and the manifest's quality entry measure, and how decoding is done by
    default.

    ``wer``, of grapheme to phoneme, is the share of words with anything wrong in their answer: the
    lower, the better.
    """

    metric: Literal["bleu", "chrf", "exact_match", "wer"] = "bleu"
    # Of BLEU: ``none`` for text that was tokenised before, as published results on it are counted.
    tokenize: Literal["13a", "none"] = "13a"
    beam: int = 5
    length_normalisation: Literal["none", "average", "gnmt"] = "gnmt"
    length_penalty: float = 1.0
    coverage_penalty: float = 0.0
    max_length_ratio: float = 2.0
    max_length_offset: int = 10
    minimum: float = 0.0  # below this, nothing is published
    maximum: float = 100.0  # nor above this, where lower is better

    def validate(self) -> Iterator[str]:
        if self.minimum > 0 and self.lower_is_better:
            yield f"minimum: of {self.metric}, lower is better; set maximum"
        if self.maximum < 100 and not self.lower_is_better:
            yield f"maximum: of {self.metric}, higher is better; set minimum"
        defaults = DecodeDefaults(
            beam=self.beam,
            length_normalisation=self.length_normalisation,
            length_penalty=self.length_penalty,
            coverage_penalty=self.coverage_penalty,
            max_length_ratio=self.max_length_ratio,
            max_length_offset=self.max_length_offset,
        )
        yield from defaults.validate()  # what the bundle would refuse after hours of training

    @property
    def lower_is_better(self) -> bool:
        """Which way the metric points."""
        return self.metric == "wer"

    def gain(self, score: float, before: float) -> float:
        """How much better ``score`` is than ``before``; below 0 where it is worse."""
        return before - score if self.lower_is_better else score - before

    def suffices(self, score: float) -> bool:
        """Whether it is good enough to be published."""
        return self.minimum <= score and (score <= self.maximum or not self.lower_is_better)


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
