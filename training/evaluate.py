"""Scores of a whole development set, each with the signature that says how it was computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sacrebleu.metrics import BLEU, CHRF

__all__ = ["Metric", "Score", "score"]

Metric = Literal["bleu", "chrf", "exact_match", "wer"]


@dataclass(frozen=True)
class Score:
    """One metric over a whole set."""

    metric: Metric
    value: float  # 0..100
    signature: str


def score(
    metric: Metric,
    outputs: Sequence[str],
    references: Sequence[Sequence[str]],
    *,
    tokenize: str = "13a",
) -> Score:
    """Score ``outputs`` against every reference of each sentence.

    BLEU and chrF are sacreBLEU's (cased, ``tokenize`` for BLEU), all references counted; exact
    match is the share of outputs equal to one of their references, the word error rate the share of
    those equal to none.
    """
    if metric in {"exact_match", "wer"}:
        hits = sum(output in wanted for output, wanted in zip(outputs, references, strict=True))
        counted = hits if metric == "exact_match" else len(outputs) - hits
        return Score(metric, 100.0 * counted / max(len(outputs), 1), f"{metric}|n:{len(outputs)}")
    # Forced: text that looks tokenised is what "none" is for, and sacreBLEU warns of it otherwise.
    scorer = BLEU(tokenize=tokenize, force=True) if metric == "bleu" else CHRF()
    most = max(map(len, references))
    # sacreBLEU takes one stream per reference number; None where a sentence has fewer.
    streams = [
        [wanted[i] if i < len(wanted) else None for wanted in references] for i in range(most)
    ]
    result = scorer.corpus_score(list(outputs), streams)  # type: ignore[arg-type]  # None is documented
    return Score(metric, float(result.score), str(scorer.get_signature()))
