"""What is asked of the engine and what it answers: frozen values, legal by construction.

A `DecodeRequest` cannot be built with illegal values: nothing below the door checks again.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, get_args

from service.decoding.wishes import Phrase, Sampling, Tokens, check_range
from service.errors import InvalidArgument

__all__ = [
    "MAX_BEAM",
    "MAX_PHRASES",
    "DecodeRequest",
    "DecodeResult",
    "FinishReason",
    "Hypothesis",
    "LengthNormalisation",
    "Tokens",
]

LengthNormalisation = Literal["none", "average", "gnmt"]

MAX_BEAM = 32
MAX_PENALTY = 100.0
MAX_REPETITION_PENALTY = 10.0
MAX_NGRAM = 32
MAX_PHRASES = 128
MAX_REQUIRED_TOKENS = 64
NORMALISATIONS: tuple[str, ...] = get_args(LengthNormalisation)


class FinishReason(StrEnum):
    """Why a hypothesis ended: the model said so, or it reached its maximum length."""

    STOP = "stop"
    LENGTH = "length"


@dataclass(frozen=True, kw_only=True)  # without slots: `like` copies the fields in one go
class DecodeRequest:
    """One source sentence to decode, with every choice made.

    `source` ends with the end-of-sentence id. No hypothesis ends before it has `min_length` tokens
    (eos not counted); one that reaches `max_length` tokens is finished there with
    `FinishReason.LENGTH`, so the search takes at most `max_length` steps. `deadline` is in seconds
    of the engine's clock (`time.monotonic` unless it was given another).

    `token_reward` is added to the score for every symbol. Log-probabilities of tokens that a
    hypothesis already has are multiplied by `repetition_penalty`, in the search and the score.
    Every hypothesis begins with `target_prefix`, whose tokens count like any other, and which no
    ban applies to; after it no n-gram of length `no_repeat_ngram` (0: off) comes twice and no
    phrase of `forbidden_phrases` is spelt.

    Every hypothesis says each of `required_phrases` somewhere, which takes a beam of 2 or more.
    `required_sources`, if given, tells of each which positions of the source it translates: the
    more of the model's attention is on them where a phrase begins, the better its place.

    With `sampling` there are `n_best` independent draws in place of a beam. With `alternatives`
    there are the `n_best` most probable next tokens after the prefix, each with its most probable
    (or drawn) continuation.

    A model with a shortlist scores plain searches over the tokens that the source makes likely,
    unless asked for its `whole_vocabulary`; whoever bans, forces, penalises or draws tokens gets
    that anyway.

    Raises `InvalidArgument` naming the field, the limit and the value.
    """

    source: Tokens
    max_length: int
    min_length: int = 0
    beam: int = 1
    n_best: int = 1
    length_normalisation: LengthNormalisation = "none"
    length_penalty: float = 1.0
    coverage_penalty: float = 0.0
    deadline: float | None = None
    alignments: bool = False
    soft_alignments: bool = False
    token_reward: float = 0.0
    repetition_penalty: float = 1.0
    no_repeat_ngram: int = 0
    forbidden_phrases: tuple[Phrase, ...] = ()
    target_prefix: Tokens = ()
    required_phrases: tuple[Tokens, ...] = ()
    required_sources: tuple[tuple[int, ...], ...] = ()
    alternatives: bool = False
    sampling: Sampling | None = None
    whole_vocabulary: bool = False

    def like(self, source: Tokens, deadline: float | None) -> "DecodeRequest":
        """The same for another source of the same length, which needs no second check."""
        assert len(source) == len(self.source)
        fresh = object.__new__(DecodeRequest)
        vars(fresh).update(vars(self), source=source, deadline=deadline)
        return fresh

    @property
    def unabridged(self) -> bool:
        """Whether its rows need scores of every token: a shortlist has only likely ones."""
        return self.whole_vocabulary or self.drawn or self.guarded

    @property
    def attending(self) -> bool:
        """Whether it asks where the model looks."""
        return bool(
            self.alignments
            or self.soft_alignments
            or self.coverage_penalty
            or any(self.required_sources)
        )

    @property
    def drawn(self) -> bool:
        """Whether its hypotheses are decoded independently of each other: they are no beam."""
        return self.alternatives or self.sampling is not None

    @property
    def rows(self) -> int:
        """The rows that it may need at once."""
        return self.n_best if self.drawn else self.beam

    @property
    def guarded(self) -> bool:
        """Whether not every token may follow, or not at the model's own price."""
        return bool(
            self.repetition_penalty != 1.0
            or self.no_repeat_ngram
            or self.forbidden_phrases
            or self.probing
        )

    @property
    def probing(self) -> bool:
        """Whether the model is asked for given tokens."""
        return bool(self.target_prefix or self.required_phrases)

    @property
    def adjusted(self) -> bool:
        """Whether the search ranks by other numbers than the model's own."""
        return self.repetition_penalty != 1.0 or any(self.required_sources)

    def __post_init__(self) -> None:
        if not self.source:
            raise InvalidArgument("source", "must hold at least the end-of-sentence token")
        check_range("beam", self.beam, 1, MAX_BEAM)
        if self.drawn:
            what = "sampling" if self.sampling else "alternatives"
            if self.beam != 1:
                raise InvalidArgument("beam", f"must be 1 with {what}, got {self.beam}")
            check_range("n_best", self.n_best, 1, MAX_BEAM)
        else:
            check_range("n_best", self.n_best, 1, self.beam, "the beam width")
        check_range("length_penalty", self.length_penalty, 0.0, MAX_PENALTY)
        check_range("coverage_penalty", self.coverage_penalty, 0.0, MAX_PENALTY)
        if self.max_length < 1:
            raise InvalidArgument("max_length", f"must be at least 1, got {self.max_length}")
        check_range("min_length", self.min_length, 0, self.max_length, "the maximum length")
        self._check_wishes()
        if self.length_normalisation not in NORMALISATIONS:
            raise InvalidArgument(
                "length_normalisation",
                f"must be one of {', '.join(NORMALISATIONS)}; got {self.length_normalisation!r}",
            )

    def _check_wishes(self) -> None:
        check_range("token_reward", self.token_reward, -MAX_PENALTY, MAX_PENALTY)
        check_range("repetition_penalty", self.repetition_penalty, 1.0, MAX_REPETITION_PENALTY)
        check_range("no_repeat_ngram", self.no_repeat_ngram, 0, MAX_NGRAM)
        if len(self.forbidden_phrases) > MAX_PHRASES:
            raise InvalidArgument(
                "forbidden_phrases",
                f"must be at most {MAX_PHRASES}, got {len(self.forbidden_phrases)}",
            )
        self._check_required()
        if len(self.target_prefix) >= self.max_length:
            raise InvalidArgument(
                "target_prefix",
                f"must be shorter than the maximum length of {self.max_length} tokens, "
                f"got {len(self.target_prefix)}",
            )

    def _check_required(self) -> None:
        field = "required_sources"
        if self.required_sources and len(self.required_sources) != len(self.required_phrases):
            raise InvalidArgument(
                field,
                f"must be as many as required_phrases ({len(self.required_phrases)}), "
                f"got {len(self.required_sources)}",
            )
        for position in (each for positions in self.required_sources for each in positions):
            check_range(field, position, 0, len(self.source) - 1, "the last of the source")
        if not self.required_phrases:
            return
        field = "required_phrases"
        if self.drawn:
            what = "sampling" if self.sampling else "alternatives"
            raise InvalidArgument(field, f"need a beam; they cannot be combined with {what}")
        if self.beam < 2:
            raise InvalidArgument("beam", f"must be at least 2 with {field}, got {self.beam}")
        if not all(self.required_phrases):
            raise InvalidArgument(field, "must each have at least one token")
        tokens = sum(map(len, self.required_phrases))
        check_range(field, tokens, 1, MAX_REQUIRED_TOKENS, "tokens in all")
        if tokens + len(self.target_prefix) > self.max_length:
            raise InvalidArgument(
                field,
                f"have {tokens} tokens; after a prefix of {len(self.target_prefix)} there is room "
                f"for {max(0, self.max_length - len(self.target_prefix))} (the maximum length is "
                f"{self.max_length})",
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class Hypothesis:
    """One decoded target, best-first position aside.

    `tokens` is without eos. `log_prob` is the sum of `token_log_probs`, which has one entry per
    token and one more for eos when `finish_reason` is STOP. `score` is what hypotheses are ranked
    by. `alignment` has the most attended source position (0-based) per token, or is empty;
    `attention` the weight of every source position (eos included) per token, or is empty.
    """

    tokens: Tokens
    log_prob: float
    score: float
    token_log_probs: tuple[float, ...]
    alignment: tuple[int, ...] = ()
    attention: tuple[tuple[float, ...], ...] = ()
    finish_reason: FinishReason = FinishReason.STOP


@dataclass(frozen=True, kw_only=True, slots=True)
class DecodeResult:
    """The answer to one request: up to `n_best` hypotheses, best first, and where the time went.

    `first_token_seconds` counts from submission, `decode_seconds` from leaving the queue.
    """

    hypotheses: tuple[Hypothesis, ...]
    steps: int
    queue_seconds: float = 0.0
    decode_seconds: float = 0.0
    first_token_seconds: float = 0.0

    @property
    def best(self) -> Hypothesis:
        """The hypothesis with the highest score."""
        return self.hypotheses[0]
