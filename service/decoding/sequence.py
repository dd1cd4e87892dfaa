"""One request on its way through the engine, and the trail from which its hypotheses are read."""

from bisect import insort
from dataclasses import dataclass, field
from math import fsum

import numpy as np

from service.decoding.request import (
    DecodeRequest,
    DecodeResult,
    FinishReason,
    Hypothesis,
)
from service.decoding.stepper import Floats, Ints

# Plain lists, made when a step is first read: their items cost a fraction of an array's.
_Lists = tuple[list[int], list[int], list[float]]


@dataclass(frozen=True, slots=True)
class Ended:
    """A finished hypothesis, not yet spelt out: where its last token came from."""

    score: float
    log_prob: float
    length: int
    step: int
    row: int
    token: int
    token_log_prob: float
    reason: FinishReason


@dataclass(slots=True, eq=False)
class Sequence:
    """The life of one request; times are seconds of the engine's clock.

    `positions` are its padded source positions, `width` the rows it may need at once. `ended` holds
    its best finished hypotheses, best first, never more than asked for; `hypotheses` is set when
    the search is over.
    """

    key: int
    request: DecodeRequest
    arrived: float
    positions: int
    width: int
    seated: float = 0.0
    first_token: float = 0.0
    finished: float = 0.0
    steps: int = 0
    ended: list[Ended] = field(default_factory=list)
    hypotheses: tuple[Hypothesis, ...] = ()

    @property
    def deadline(self) -> float | None:
        """When its answer has lost its worth."""
        return self.request.deadline

    @property
    def floor(self) -> float:
        """The score that a hypothesis must pass to be among the answers."""
        full = len(self.ended) >= self.request.n_best
        return self.ended[-1].score if full else -np.inf

    def offer(self, ended: Ended) -> None:
        """Keep a finished hypothesis if it is among the best; of equals the earlier is better."""
        insort(self.ended, ended, key=lambda e: -e.score)
        del self.ended[self.request.n_best :]

    def result(self) -> DecodeResult:
        """What the caller gets."""
        return DecodeResult(
            hypotheses=self.hypotheses,
            steps=self.steps,
            queue_seconds=self.seated - self.arrived,
            decode_seconds=self.finished - self.seated,
            first_token_seconds=self.first_token - self.arrived,
        )


@dataclass(slots=True)
class _Step:
    """The rows of a step: the token fed, its log-probability, the row continued (`None`: same)."""

    tokens_R: Ints
    parents_R: Ints | None
    log_probs_R: Floats
    attention_RS: Floats | None = None
    attended_R: Ints | None = None
    lists: _Lists | None = None


class Trail:
    """What went into each of the last steps: hypotheses are read from it, from their end."""

    def __init__(self) -> None:
        self._steps: list[_Step] = []
        self._first = 0

    @property
    def next_step(self) -> int:
        """The number that the next step will have."""
        return self._first + len(self._steps)

    def record(self, tokens_R: Ints, parents_R: Ints | None, log_probs_R: Floats) -> None:
        """Note a step's rows: the token each is fed, its log-probability, the row before."""
        self._steps.append(_Step(tokens_R, parents_R, log_probs_R))

    def note_attention(self, attention_RS: Floats, *, soft: bool) -> None:
        """Note the source position that each row of the last step attends to most.

        With `soft`, the weights of all positions too.
        """
        self._steps[-1].attended_R = attention_RS.argmax(axis=1)
        if soft:
            self._steps[-1].attention_RS = attention_RS

    def forget_before(self, step: int) -> None:
        """Let go of earlier steps (a few at a time: a list gives up its head at a cost)."""
        surplus = step - self._first
        if surplus >= 64:
            del self._steps[:surplus]
            self._first = step

    def read(self, ended: Ended, request: DecodeRequest) -> Hypothesis:
        """Spell out a finished hypothesis of a request."""
        tokens, log_probs, attended = [ended.token], [ended.token_log_prob], []
        weights: list[tuple[float, ...]] = []
        row, last = ended.row, ended.step - self._first
        for step in reversed(self._steps[last - ended.length + 1 : last + 1]):
            if request.alignments and step.attended_R is not None:
                attended.append(int(step.attended_R[row]))
            if request.soft_alignments and step.attention_RS is not None:
                weights.append(tuple(step.attention_RS[row, : len(request.source)].tolist()))
            tokens_R, parents_R, log_probs_R = step.lists or _spell_out(step)
            tokens.append(tokens_R[row])
            log_probs.append(log_probs_R[row])
            row = parents_R[row]
        # The last read was what a fresh row is fed: bos. And eos is no part of the text.
        stopped = int(ended.reason is FinishReason.STOP)
        log_probs = log_probs[-2::-1]
        return Hypothesis(
            tokens=tuple(reversed(tokens[stopped:-1])),
            # Penalties are in the total that ranks; what the model said is told.
            log_prob=fsum(log_probs) if request.adjusted else ended.log_prob,
            score=ended.score,
            token_log_probs=tuple(log_probs),
            alignment=tuple(reversed(attended[stopped:])),
            attention=tuple(reversed(weights[stopped:])),
            finish_reason=ended.reason,
        )


def _spell_out(step: _Step) -> _Lists:
    tokens = step.tokens_R.tolist()
    parents = list(range(len(tokens))) if step.parents_R is None else step.parents_R.tolist()
    step.lists = (tokens, parents, step.log_probs_R.tolist())
    return step.lists
