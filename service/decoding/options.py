"""What a caller may ask of a search; anything left `None` takes the bundle's default.

`DecodeOptions.resolve` turns it, once and at the door, into a `DecodeRequest`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from secrets import randbelow
from typing import TypeVar

from service.bundle.manifest import DecodeDefaults, Limits
from service.decoding.request import MAX_BEAM, DecodeRequest, LengthNormalisation
from service.decoding.wishes import MAX_SEED, Phrase, Sampling, Tokens, check_range
from service.errors import InvalidArgument

REQUIRING_BEAM = 10

_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True, slots=True)
class SamplingOptions:
    """How a caller wants tokens drawn, see `Sampling`; without a seed, chance has its way."""

    seed: int | None = None
    temperature: float = 1.0
    top_k: int = 64
    top_p: float = 1.0

    def resolve(self) -> Sampling:
        """The sampling, with a seed. Raises `InvalidArgument` when a value is beyond its limit."""
        return Sampling(
            seed=randbelow(MAX_SEED + 1) if self.seed is None else self.seed,
            temperature=self.temperature,
            top_k=self.top_k,
            top_p=self.top_p,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class DecodeOptions:
    """How a caller wants a sentence decoded; `None` means as the bundle recommends.

    `max_length` wins over `max_length_ratio` (target tokens per source token). Prefix and phrases
    are in tokens of the model.
    """

    beam: int | None = None
    n_best: int = 1
    length_normalisation: LengthNormalisation | None = None
    length_penalty: float | None = None
    coverage_penalty: float | None = None
    min_length: int = 0
    max_length: int | None = None
    max_length_ratio: float | None = None
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
    sampling: SamplingOptions | None = None
    whole_vocabulary: bool = False

    def resolve(
        self,
        source: Sequence[int],
        defaults: DecodeDefaults,
        limits: Limits,
        *,
        deadline: float | None = None,
    ) -> DecodeRequest:
        """The request for `source` (ids, ending with eos) under a bundle's defaults and limits.

        Raises `InvalidArgument` when the source or an option is beyond a limit.
        """
        if len(source) > limits.max_source_tokens:
            raise InvalidArgument(
                "source", f"must have at most {limits.max_source_tokens} tokens, got {len(source)}"
            )
        max_length = self._max_length(len(source), defaults, limits)
        # A recommended width never stands in the way of the n-best asked for.
        drawn = self.alternatives or self.sampling is not None
        # Phrases take places of their own in the beam, so it is as wide as the papers have it.
        least = max(self.n_best, REQUIRING_BEAM if self.required_phrases else 1)
        recommended = 1 if drawn else min(max(defaults.beam, least), MAX_BEAM)
        # What a phrase costs must not be made up for by saying more around it.
        normalisation = "none" if self.required_phrases else defaults.length_normalisation
        return DecodeRequest(
            source=tuple(source),
            beam=_or(self.beam, recommended),
            n_best=self.n_best,
            length_normalisation=_or(self.length_normalisation, normalisation),
            length_penalty=_or(self.length_penalty, defaults.length_penalty),
            coverage_penalty=_or(self.coverage_penalty, defaults.coverage_penalty),
            min_length=self.min_length,
            max_length=max_length,
            deadline=deadline,
            alignments=self.alignments,
            soft_alignments=self.soft_alignments,
            token_reward=self.token_reward,
            repetition_penalty=self.repetition_penalty,
            no_repeat_ngram=self.no_repeat_ngram,
            forbidden_phrases=self.forbidden_phrases,
            target_prefix=self.target_prefix,
            required_phrases=self.required_phrases,
            required_sources=self.required_sources,
            alternatives=self.alternatives,
            sampling=None if self.sampling is None else self.sampling.resolve(),
            whole_vocabulary=self.whole_vocabulary,
        )

    def _max_length(self, source_tokens: int, defaults: DecodeDefaults, limits: Limits) -> int:
        if self.max_length is not None:
            check_range("max_length", self.max_length, 1, limits.max_target_tokens)
            return self.max_length
        if self.max_length_ratio is None:
            wanted = defaults.max_length(source_tokens, limits)
        elif math.isfinite(self.max_length_ratio) and self.max_length_ratio > 0:
            wanted = math.ceil(self.max_length_ratio * source_tokens) + defaults.max_length_offset
        else:
            raise InvalidArgument(
                "max_length_ratio", f"must be above 0, got {self.max_length_ratio}"
            )
        # What must be said leaves room for an end.
        needed = len(self.target_prefix) + sum(map(len, self.required_phrases))
        wanted = max(wanted, needed + 1) if needed else wanted
        return min(limits.max_target_tokens, max(1, self.min_length, wanted))


def _or(asked: _T | None, default: _T) -> _T:
    return default if asked is None else asked
