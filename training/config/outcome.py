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
