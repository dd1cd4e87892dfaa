"""A stepper that follows a script instead of a model: shipped for tests and demonstrations.

It is an honest one: it keeps no more than a model would (what it knows of each source, the state of
each row), finds both by the numbers it is given, and so goes wrong where a model would go wrong.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from service.decoding.request import Tokens
from service.decoding.stepper import Floats, StepInput, StepOutput

Script = Callable[[Tokens, Tokens], "Sequence[float] | NDArray[np.floating]"]


class ScriptedStepper:
    """`script(source, prefix)` gives the log-probability of every token after `prefix`.

    `attention(source, prefix)` gives the weight of each source position, and defaults to looking at
    the position after as many as there are tokens. Without `attend` there is none.
    """

    def __init__(
        self,
        script: Script,
        *,
        bos_id: int = 1,
        eos_id: int = 2,
        attend: bool = True,
        attention: Script | None = None,
        position_multiple: int = 8,
    ) -> None:
        self.bos_id = bos_id
        self.eos_id = eos_id
        self.has_attention = attend
        self.has_probes = True
        self.position_multiple = position_multiple
        self._script = script
        self._attention = attention or _diagonal
        self._sources: list[Tokens] = []
        self._prefixes: list[Tokens] = []  # of the rows of the last step, then of fresh rows

    @property
    def held_sources(self) -> list[Tokens]:
        """What is held for sources that have not left."""
        return list(self._sources)

    def join(self, sources: Sequence[Tokens], *, unabridged: Sequence[bool] | None = None) -> None:
        """Hold the sources; each has a fresh row with nothing before it."""
        del unabridged  # every row is scored over the whole vocabulary
        self._sources += sources
        self._prefixes += [()] * len(sources)

    def step(self, work: StepInput) -> StepOutput:
        """Look up every row's next tokens, the most probable first, ties by id."""
        if work.kept_B is not None:
            self._sources = [self._sources[b] for b in work.kept_B.tolist()]
        rows = len(work.tokens_R)
        parents = range(rows) if work.parents_R is None else work.parents_R.tolist()
        tokens = work.tokens_R.tolist()
        # The state of a row is all that it was fed: bos, then its tokens.
        fed = [(*self._prefixes[p], t) for p, t in zip(parents, tokens, strict=True)]
        sources = [self._sources[b] for b in work.sources_R.tolist()]
        self._prefixes = fed
        log_probs_RV = np.array(
            [self._script(s, f[1:]) for s, f in zip(sources, fed, strict=True)], np.float32
        )
        ids_RK = np.argsort(-log_probs_RV, axis=1, kind="stable")[:, : work.top_k]
        return StepOutput(
            log_probs_RK=np.take_along_axis(log_probs_RV, ids_RK, axis=1),
            ids_RK=ids_RK,
            attention_RS=self._attend(sources, fed) if self.has_attention else None,
            probe_log_probs_RP=(
                None
                if work.probe_ids_RP is None
                else np.take_along_axis(log_probs_RV, work.probe_ids_RP, axis=1)
            ),
        )

    def reset(self) -> None:
        """Forget every source and row."""
        self._sources, self._prefixes = [], []

    def _attend(self, sources: list[Tokens], fed: list[Tokens]) -> Floats:
        longest = max(map(len, self._sources))
        positions = -(-longest // self.position_multiple) * self.position_multiple
        attention_RS = np.zeros((len(sources), positions), np.float32)
        for row, (source, tokens) in enumerate(zip(sources, fed, strict=True)):
            attention_RS[row, : len(source)] = self._attention(source, tokens[1:])
        return attention_RS


def copying(vocabulary_size: int, *, eos_id: int = 2, certainty: float = 0.9) -> Script:
    """A script that repeats the source, each token with probability `certainty`, and then ends."""
    rest = np.log((1 - certainty) / (vocabulary_size - 1))

    def script(source: Tokens, prefix: Tokens) -> NDArray[np.float64]:
        log_probs = np.full(vocabulary_size, rest)
        log_probs[source[len(prefix)] if len(prefix) < len(source) else eos_id] = np.log(certainty)
        return log_probs

    return script


def _diagonal(source: Tokens, prefix: Tokens) -> NDArray[np.float32]:
    weights = np.zeros(len(source), np.float32)
    weights[min(len(prefix), len(source) - 1)] = 1.0
    return weights
