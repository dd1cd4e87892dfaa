"""Regularisation that grows while a model learns.

Curriculum dropout (Morerio et al. 2017): units that know nothing yet have nothing to unlearn, and
noise only delays them. A model finds out which source word it translates at least twice as fast
without, and what it makes of few sentences afterwards is better with (measured with captions, see
training/RESULTS.md).
"""

from __future__ import annotations

__all__ = ["strength"]


def strength(epoch: int, epochs: int) -> float:
    """How much of a recipe's dropout and random subwords there is in ``epoch``, counted from 0: it
    grows evenly, and is all from epoch ``epochs`` on.
    """
    return 1.0 if epoch >= epochs else epoch / epochs
