"""States of fixed size: what each row remembers from one step to the next.

Legend: R rows of a step, J sources that joined together.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.bundle.graphs import StateSpec
from service.decoding.stepper import Ints

Tensor = NDArray[Any]


class States:
    """Tensors [R, *] in the order in which the graph ran, and those of rows that are new."""

    def __init__(self, specs: Sequence[StateSpec]) -> None:
        self._inputs = [spec.input for spec in specs]
        self._outputs = [spec.output for spec in specs]
        self.clear()

    def clear(self) -> None:
        """Let go of every row."""
        self._states: list[Tensor] | None = None
        self._fresh: list[list[Tensor]] = []  # [J, *]
        self.fresh_rows = 0

    def __len__(self) -> int:
        return len(self._states[0]) if self._states else 0

    def add(self, initial_states: list[Tensor], rows: int) -> None:
        """Rows that join: their first states, [J, *]."""
        self._fresh.append(initial_states)
        self.fresh_rows += rows

    def feeds(self, parents_R: Ints | None) -> Mapping[str, Tensor]:
        """What each row of the next step starts from, by the graph's inputs: its parent's states.

        A parent is a row of the last step, or behind these a new one. None: nobody moved.
        """
        return dict(zip(self._inputs, self._continued(parents_R), strict=True))

    def take(self, outputs: dict[str, Tensor]) -> None:
        """Hold what a step made of them, out of all that it gave."""
        self._states = [outputs.pop(name) for name in self._outputs]

    def _continued(self, parents_R: Ints | None) -> list[Tensor]:
        if parents_R is None and self._states is not None and not self._fresh:
            return self._states
        generations = ([self._states] if self._states is not None else []) + self._fresh
        self._fresh, self.fresh_rows = [], 0
        if len(generations) == 1:
            tensors = generations[0]
        else:
            tensors = [np.concatenate(parts) for parts in zip(*generations, strict=True)]
        return tensors if parents_R is None else [t[parents_R] for t in tensors]
