"""How a text is to be translated."""

from dataclasses import dataclass

__all__ = ["TranslateOptions"]


@dataclass(frozen=True, kw_only=True, slots=True)
class TranslateOptions:
    """None means the model's own default; lengths are in tokens per sentence.

    `deadline` is in seconds of `time.monotonic`: past it, the work is stopped.
    """

    beam: int | None = None
    n_best: int = 1
    length_normalisation: str | None = None
    length_penalty: float | None = None
    coverage_penalty: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    token_scores: bool = False
    alignments: bool = False
    split_sentences: bool = True
    deadline: float | None = None
