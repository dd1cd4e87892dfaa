"""The seam between search and model: whatever can encode sources and step rows is a `Stepper`.

Legend: B sources held, R rows (one row = one live hypothesis), K candidates per row, S padded
source positions, P probes.

A stepper owns every tensor: the memories of the sources it holds and the states of the rows of its
last step. Search owns none of them and speaks of both by number only:

- *sources* are numbered as they joined: those kept at the last step, then those joined since.
- *parents* are numbered alike: the rows of the last step, then a fresh row per source joined since.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from service.decoding.request import Tokens
from service.errors import ParleyError

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]


class StepFailed(ParleyError):
    """The model could not be run. The message is safe to show; `__cause__` has the reason."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StepInput:
    """One step: which sources and rows go on, and with which tokens.

    `kept_B` lists the numbers of the sources that stay, ascending (`None`: all of them); the others
    are gone, and the kept are numbered anew from 0. `tokens_R` is the last token of each row,
    `sources_R` the new number of its source; rows of one source are contiguous. `parents_R` names
    the row whose state each row continues (`None`: parent r for row r). `probe_ids_RP` are tokens
    whose log-probabilities are wanted whatever their rank (`None`: none). Attention is wanted if
    `attend`.
    """

    tokens_R: Ints
    sources_R: Ints
    parents_R: Ints | None
    kept_B: Ints | None
    top_k: int
    probe_ids_RP: Ints | None = None
    attend: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class StepOutput:
    """The `top_k` (or fewer, if the vocabulary is smaller) next tokens of each row, best first.

    Log-probabilities are over the whole vocabulary, or over the candidates of a source that is not
    unabridged: then behind the last candidate come tokens of probability 0, any of them.
    `attention_RS` sums to 1 over the positions of the row's source and is 0 beyond them; `None`
    when the model has no attention, or none was wanted. `probe_log_probs_RP` answers `probe_ids_RP`
    (`None`: nothing was asked).
    """

    log_probs_RK: Floats
    ids_RK: Ints
    attention_RS: Floats | None = None
    probe_log_probs_RP: Floats | None = None


class Stepper(Protocol):
    """Runs a model one token at a time for many rows at once. Used by one thread at a time."""

    @property
    def bos_id(self) -> int:
        """The token that a fresh row is fed with."""
        ...

    @property
    def eos_id(self) -> int:
        """The token that ends a hypothesis."""
        ...

    @property
    def has_attention(self) -> bool:
        """Whether steps return attention, which alignments and the coverage penalty need."""
        ...

    @property
    def has_probes(self) -> bool:
        """Whether steps answer `probe_ids_RP`, which forced tokens need."""
        ...

    @property
    def position_multiple(self) -> int:
        """Sources are padded to a multiple of this many positions."""
        ...

    def join(self, sources: Sequence[Tokens], *, unabridged: Sequence[bool] | None = None) -> None:
        """Encode `sources`, hold them after those held already. When it raises, nothing changed.

        Rows of a source that is `unabridged` must be scored over the whole vocabulary (`None`: no
        source is); those of others may be scored over the tokens that are likely.
        """
        ...

    def step(self, work: StepInput) -> StepOutput:
        """Run one step. When it raises, the stepper is good for nothing but `reset`."""
        ...

    def reset(self) -> None:
        """Let go of every source and row."""
        ...
