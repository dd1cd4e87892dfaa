"""Several models that answer together: each reads and steps on its own, and their probabilities are
averaged.

The mean is of probabilities, not of scores: the members vote, and one that is sure outweighs one
that knows nothing (Hansen & Salamon 1990; Sutskever et al. 2014, section 3.6, for translation).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from torch import nn

from training.models.seq2seq import Seq2Seq

__all__ = ["Ensemble"]


class Ensemble(nn.Module):
    """Models over one vocabulary. It holds them; ``export`` and its ``TorchStepper`` run them."""

    def __init__(self, members: Iterable[Seq2Seq]) -> None:
        super().__init__()
        self._members = nn.ModuleList(members)

    @property
    def members(self) -> list[Seq2Seq]:
        """In the order in which they were given."""
        return [cast(Seq2Seq, member) for member in self._members]
