"""From the hypotheses of sentences to those of a text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from service.bundle import Tokenizer
from service.decoding import DecodeResult, FinishReason, Hypothesis
from service.translation.result import TextHypothesis, TokenScore, Translation
from service.translation.segments import Segments

__all__ = ["Part", "assemble"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """What became of one segment. `hypotheses` are best first, at least one.

    Times are in seconds; `source_pieces` is empty, as the hypotheses' tokens are, unless details
    were asked for.
    """

    hypotheses: tuple[TextHypothesis, ...]
    source_pieces: tuple[str, ...] = ()
    queue_seconds: float = 0.0
    decode_seconds: float = 0.0
    first_token_seconds: float = 0.0

    @classmethod
    def untouched(cls, text: str) -> Part:
        """A segment with nothing to translate in it, which stays as it is."""
        hypothesis = TextHypothesis(
            text=text, score=0.0, log_prob=0.0, finish_reason=FinishReason.STOP
        )
        return cls(hypotheses=(hypothesis,))

    @classmethod
    def decoded(
        cls, result: DecodeResult, tokenizer: Tokenizer, *, source: Sequence[int], eos: int
    ) -> Part:
        """A decoded segment. `source` are its ids, end mark included; empty for no details."""
        return cls(
            hypotheses=tuple(
                TextHypothesis(
                    text=tokenizer.decode(each.tokens),
                    score=each.score,
                    log_prob=each.log_prob,
                    finish_reason=each.finish_reason,
                    tokens=tuple(_tokens(each, tokenizer, eos)) if source else (),
                )
                for each in result.hypotheses
            ),
            source_pieces=tuple(tokenizer.pieces(source)) if source else (),
            queue_seconds=result.queue_seconds,
            decode_seconds=result.decode_seconds,
            first_token_seconds=result.first_token_seconds,
        )


def assemble(
    segments: Segments, parts: Sequence[Part], *, n_best: int, target_language: str
) -> Translation:
    """Put the parts together: the `n_best` best combinations of their hypotheses."""
    if len(parts) == 1 and not any(segments.gaps):  # as most texts are: there is nothing to join
        hypotheses = parts[0].hypotheses[:n_best]
    else:
        choices = _combinations(parts, n_best)
        shifts = _shifts(parts)
        hypotheses = tuple(_joined(segments, each, shifts, target_language) for each in choices)
    return Translation(
        hypotheses=hypotheses,
        source_pieces=tuple(piece for part in parts for piece in part.source_pieces),
        segments=len(parts),
        sentence_was_cut=segments.was_cut,
        queue_seconds=max((part.queue_seconds for part in parts), default=0.0),
        decode_seconds=max((part.decode_seconds for part in parts), default=0.0),
        first_token_seconds=max((part.first_token_seconds for part in parts), default=0.0),
    )


def _joined(
    segments: Segments,
    choice: Sequence[TextHypothesis],
    shifts: Sequence[int],
    target_language: str,
) -> TextHypothesis:
    """One hypothesis of the text, from one for each part."""
    reasons = {each.finish_reason for each in choice}
    return TextHypothesis(
        text=segments.join([each.text for each in choice], target_language),
        score=sum(each.score for each in choice),
        log_prob=sum(each.log_prob for each in choice),
        finish_reason=FinishReason.LENGTH if FinishReason.LENGTH in reasons else FinishReason.STOP,
        tokens=tuple(
            _shifted(token, shift)
            for each, shift in zip(choice, shifts, strict=True)
            for token in each.tokens
        ),
    )


def _combinations(parts: Sequence[Part], n_best: int) -> list[tuple[TextHypothesis, ...]]:
    """The best ways to choose one hypothesis per part, by the sum of their scores.

    Taking the parts in one by one and keeping `n_best` each time loses nothing: a combination of
    the first parts that is not among their best cannot be continued into one of the best.
    """
    best: list[_Chain] = [_Chain(0.0)]
    for part in parts:
        grown = [_Chain(c.score + each.score, each, c) for c in best for each in part.hypotheses]
        grown.sort(key=lambda chain: -chain.score)  # stable: ties stay in order of rank
        best = grown[:n_best]
    return [chain.unwind() for chain in best]


@dataclass(frozen=True, slots=True)
class _Chain:
    """A choice for the parts so far: the last hypothesis, and the chain before it."""

    score: float
    last: TextHypothesis | None = None
    before: _Chain | None = None

    def unwind(self) -> tuple[TextHypothesis, ...]:
        found = []
        link: _Chain | None = self
        while link is not None and link.last is not None:
            found.append(link.last)
            link = link.before
        return tuple(reversed(found))


def _tokens(hypothesis: Hypothesis, tokenizer: Tokenizer, eos: int) -> Iterator[TokenScore]:
    """Its tokens, and its end mark when it came to its end by itself."""
    ended = len(hypothesis.token_log_probs) > len(hypothesis.tokens)
    ids = (*hypothesis.tokens, eos) if ended else hypothesis.tokens
    alignment = hypothesis.alignment
    for position, (piece, log_prob) in enumerate(
        zip(tokenizer.pieces(ids), hypothesis.token_log_probs, strict=True)
    ):
        source_index = alignment[position] if position < len(alignment) else None
        weights = hypothesis.attention[position] if position < len(hypothesis.attention) else ()
        yield TokenScore(
            piece=piece, log_prob=log_prob, source_index=source_index, attention=weights
        )


def _shifts(parts: Sequence[Part]) -> list[int]:
    """Where the source pieces of each part begin among those of the text."""
    shifts = [0]
    for part in parts:
        shifts.append(shifts[-1] + len(part.source_pieces))
    return shifts[:-1]


def _shifted(token: TokenScore, shift: int) -> TokenScore:
    if shift == 0 or (token.source_index is None and not token.attention):
        return token
    return replace(
        token,
        source_index=None if token.source_index is None else token.source_index + shift,
        attention_start=shift if token.attention else 0,
    )
