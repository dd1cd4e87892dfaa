"""How a text is to be translated."""

from dataclasses import dataclass

from service.decoding import DecodeOptions, LengthNormalisation, Phrase, SamplingOptions, Tokens

__all__ = ["Term", "TranslateOptions"]


@dataclass(frozen=True, slots=True)
class Term:
    """Where a sentence has `source`, its translation must have `target`."""

    source: str
    target: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TranslateOptions:
    """None means the model's own default; lengths are in tokens per sentence.

    What the search options mean is told by `service.decoding.DecodeRequest`. `target_prefix`,
    `required_phrases` and `alternatives` are for texts of one sentence. Details of tokens come with
    `token_scores`, `alignments` or `soft_alignments`.

    Ranges are checked by `service.decoding.DecodeRequest`, which names a culprit as this class
    does.
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
    soft_alignments: bool = False
    token_reward: float = 0.0
    repetition_penalty: float = 1.0
    no_repeat_ngram: int = 0
    forbidden_phrases: tuple[str, ...] = ()
    target_prefix: str = ""
    required_phrases: tuple[str, ...] = ()
    terminology: tuple[Term, ...] = ()
    alternatives: bool = False
    sampling: SamplingOptions | None = None
    whole_vocabulary: bool = False
    split_sentences: bool = True

    @property
    def detailed(self) -> bool:
        """Whether the tokens of hypotheses are to be told."""
        return self.token_scores or self.alignments or self.soft_alignments

    def decoding(self, forbidden: tuple[Phrase, ...], prefix: Tokens) -> DecodeOptions:
        """The part that concerns the search of each sentence; phrases and prefix in tokens.

        What is required depends on the sentence, and is left out.
        """
        return DecodeOptions(
            beam=self.beam,
            n_best=self.n_best,
            length_normalisation=self.length_normalisation,
            length_penalty=self.length_penalty,
            coverage_penalty=self.coverage_penalty,
            min_length=self.min_length,
            max_length=self.max_length,
            alignments=self.alignments,
            soft_alignments=self.soft_alignments,
            token_reward=self.token_reward,
            repetition_penalty=self.repetition_penalty,
            no_repeat_ngram=self.no_repeat_ngram,
            forbidden_phrases=forbidden,
            target_prefix=prefix,
            alternatives=self.alternatives,
            sampling=self.sampling,
            whole_vocabulary=self.whole_vocabulary,
        )
