"""Batching per request, on the same stepper: what continuous batching is compared with.

Nobody joins a batch, and every row is stepped until the longest is done; the engine's own `decode`
in its place lets finished rows leave.
"""

from collections.abc import Sequence

import numpy as np

from service.decoding import DecodeRequest, StepInput, Stepper


class StaticSearch:
    """Greedy search in which a batch stays as it is until all of it is done."""

    def __init__(self, stepper: Stepper) -> None:
        self._stepper = stepper

    def decode(self, requests: Sequence[DecodeRequest]) -> np.ndarray:
        """The tokens [request, step] of a batch; those beyond a request's length mean nothing."""
        stepper = self._stepper
        stepper.reset()
        stepper.join([each.source for each in requests])
        rows_R = np.arange(len(requests))
        tokens_R = np.full(len(requests), stepper.bos_id)
        shortest_R = np.array([each.min_length for each in requests])
        found = []
        for step in range(max(each.max_length for each in requests)):
            work = StepInput(
                tokens_R=tokens_R, sources_R=rows_R, parents_R=None, kept_B=None, top_k=2
            )
            ids_RK = stepper.step(work).ids_RK
            too_early_R = (ids_RK[:, 0] == stepper.eos_id) & (step < shortest_R)
            tokens_R = np.where(too_early_R, ids_RK[:, 1], ids_RK[:, 0])
            found.append(tokens_R)
        stepper.reset()
        return np.stack(found, axis=1)
