"""The searches of a cohort: what each was asked, how far it is, what it has found.

Legend: C searches, one entry each in every array.
"""

from collections.abc import Sequence as Listed
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from service.decoding.beam import Mask, Rules
from service.decoding.scoring import Doubles, loosest_divisor, most_reward
from service.decoding.sequence import Sequence
from service.decoding.stepper import Ints

_NOBODY = np.empty(0, np.int64)
_NEVER = 2**62


class Roster:
    """Searches that advance together, in the order in which they came."""

    def __init__(self, eos_id: int) -> None:
        self._eos_id = eos_id
        self.sequences: list[Sequence] = []
        self.sources_C: Ints = _NOBODY
        self.lengths_C: Ints = _NOBODY
        self._min_lengths_C: Ints = _NOBODY
        self._max_lengths_C: Ints = _NOBODY
        self.ceiling_C: Doubles = np.empty(0)  # the loosest divisor of a live hypothesis
        self.floor_C: Doubles = np.empty(0)  # the score of the worst finished one that counts
        self._rewards_C: Doubles = np.empty(0)
        self._last_rules: Rules | None = None  # since somebody came or went
        self._look_ahead()

    def __len__(self) -> int:
        return len(self.sequences)

    @property
    def may_stop(self) -> bool:
        """Whether all of them may end with eos at this step."""
        return self._held_for <= 0

    def seat(self, sequences: Listed[Sequence], sources: Ints) -> None:
        """Put searches behind the others, with the numbers of their sources."""
        requests = [s.request for s in sequences]
        self.sequences += sequences
        self.sources_C = extended(self.sources_C, sources)
        self.lengths_C = extended(self.lengths_C, np.zeros(len(requests), np.int64))
        self._min_lengths_C = extended(self._min_lengths_C, [r.min_length for r in requests])
        self._max_lengths_C = extended(self._max_lengths_C, [r.max_length for r in requests])
        self.ceiling_C = extended(self.ceiling_C, [loosest_divisor(r) for r in requests])
        self.floor_C = extended(self.floor_C, np.full(len(requests), -np.inf))
        self._rewards_C = extended(self._rewards_C, [r.token_reward for r in requests])
        self._look_ahead()

    def keep(self, keep_C: Mask) -> list[Sequence]:
        """Let the others go, and return them."""
        gone = [self.sequences[c] for c in np.flatnonzero(~keep_C).tolist()]
        self.sequences = [self.sequences[c] for c in np.flatnonzero(keep_C).tolist()]
        self.sources_C = self.sources_C[keep_C]
        self.lengths_C = self.lengths_C[keep_C]
        self._min_lengths_C = self._min_lengths_C[keep_C]
        self._max_lengths_C = self._max_lengths_C[keep_C]
        self.ceiling_C = self.ceiling_C[keep_C]
        self.floor_C = self.floor_C[keep_C]
        self._rewards_C = self._rewards_C[keep_C]
        self._look_ahead()
        return gone

    def rules(self) -> Rules:
        """What holds at this step; mostly that is what held at the one before."""
        held, ending = self._held_for > 0, self._last_in <= 1
        rules = self._last_rules
        if rules is None or rules.held is not held or rules.ending is not ending:
            rules = self._last_rules = Rules(
                eos_id=self._eos_id,
                lengths_C=self.lengths_C,
                min_lengths_C=self._min_lengths_C,
                max_lengths_C=self._max_lengths_C,
                held=held,
                ending=ending,
            )
        return rules

    def advance(self) -> None:
        """All hypotheses are one token longer."""
        self.lengths_C += 1  # where they lie, for the rules to see
        self._held_for -= 1
        self._last_in -= 1

    def within_reach(self) -> Doubles:
        """The score, rewards aside, that a search's live hypotheses must be able to pass."""
        if not self._rewards_C.any():
            return self.floor_C
        return self.floor_C - most_reward(self._rewards_C, self.lengths_C, self._max_lengths_C)

    def _look_ahead(self) -> None:
        """Note for how many steps somebody may not stop, and in how many comes a last one."""
        self._held_for = int((self._min_lengths_C - self.lengths_C).max(initial=0))
        self._last_in = int((self._max_lengths_C - self.lengths_C).min(initial=_NEVER))
        self._last_rules = None


def extended(array: NDArray[Any], more: ArrayLike) -> NDArray[Any]:
    """The array, longer by these, of its own type; an empty one costs nothing."""
    more = np.asarray(more, array.dtype)
    return np.concatenate((array, more)) if len(array) else more
