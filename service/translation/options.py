"""How a text is to be translated."""

from dataclasses import dataclass

from service.decoding import DecodeOptions, LengthNormalisation

__all__ = ["TranslateOptions"]


@dataclass(frozen=True, kw_only=True, slots=True)
class TranslateOptions:
    """None means the model's own default; lengths are in tokens per sentence.

    `deadline` is in seconds of `time.monotonic`: past it, the work is stopped. Ranges are checked
    by `service.decoding.DecodeRequest`, which names a culprit as this class does.
    """

    beam: int | None = None
    n_best: int = 1
    length_normalisation: LengthNormalisation | None = None
    length_penalty: float | None = None
    coverage_penalty: float | None = None
    min_length: int = 0
    max_length: int | None = None
    token_scores: bool = False
    alignments: bool = False
    split_sentences: bool = True
    deadline: float | None = None

    @property
    def decoding(self) -> DecodeOptions:
        """The part that concerns the search of each sentence."""
        return DecodeOptions(
            beam=self.beam,
            n_best=self.n_best,
            length_normalisation=self.length_normalisation,
            length_penalty=self.length_penalty,
            coverage_penalty=self.coverage_penalty,
            min_length=self.min_length,
            max_length=self.max_length,
            alignments=self.alignments,
        )
