"""What a translation consists of."""

from dataclasses import dataclass

from service.decoding import FinishReason

__all__ = ["TextHypothesis", "TokenScore", "Translation"]


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenScore:
    """One target piece, its natural log-probability, and the source piece it attended to most.

    `attention` are its weights over the source pieces of its sentence, of which the first is
    `attention_start`; empty unless asked for.
    """

    piece: str
    log_prob: float
    source_index: int | None = None
    attention: tuple[float, ...] = ()
    attention_start: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class TextHypothesis:
    """One way to translate the whole text; score and log_prob are sums over its sentences."""

    text: str
    score: float
    log_prob: float
    finish_reason: FinishReason
    tokens: tuple[TokenScore, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Translation:
    """The answer to one text; hypotheses best first, at least one.

    `tokens` of the hypotheses and `source_pieces` are filled when scores or alignments were asked
    for; both include the end mark of every sentence. Times are in seconds, each the longest among
    the sentences.
    """

    hypotheses: tuple[TextHypothesis, ...]
    source_pieces: tuple[str, ...] = ()
    segments: int = 1
    sentence_was_cut: bool = False
    queue_seconds: float = 0.0
    decode_seconds: float = 0.0
    first_token_seconds: float = 0.0

    @property
    def text(self) -> str:
        """The translation: the text of the best hypothesis."""
        return self.hypotheses[0].text
