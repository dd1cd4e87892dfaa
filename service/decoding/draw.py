"""Rows that go their own way: each takes one candidate, by chance or by rank.

Samples and alternatives are searches of several rows that do not compete. Legend: C searches, R
rows, D candidates per row, T steps.
"""

from dataclasses import dataclass, fields, replace

import numpy as np

from service.decoding.beam import Expansion, Front, Mask, Picks, Rules, take
from service.decoding.guard import Candidates
from service.decoding.request import DecodeRequest
from service.decoding.scoring import Doubles
from service.decoding.stepper import Floats, Ints

_NEVER = -1


@dataclass(frozen=True, slots=True)
class Ways:
    """How each row chooses.

    Rows with a temperature of 0 take the best candidate. At step `branch_R`, instead, a row takes
    the candidate that has its `rank_R`. `chance_RT` are numbers in [0, 1), one for each step.
    """

    temperature_R: Doubles
    top_k_R: Ints
    top_p_R: Doubles
    branch_R: Ints
    rank_R: Ints
    chance_RT: Doubles

    @classmethod
    def of(cls, request: DecodeRequest) -> "Ways":
        """The rows of a request."""
        rows = request.rows
        sampling = request.sampling
        branch = len(request.target_prefix) if request.alternatives else _NEVER
        return cls(
            temperature_R=np.full(rows, sampling.temperature if sampling else 0.0),
            top_k_R=np.full(rows, sampling.top_k if sampling else 1),
            top_p_R=np.full(rows, sampling.top_p if sampling else 1.0),
            branch_R=np.full(rows, branch),
            rank_R=np.arange(rows),
            chance_RT=(
                np.stack([chances(sampling.seed, row, request.max_length) for row in range(rows)])
                if sampling
                else np.zeros((rows, 0))
            ),
        )

    @classmethod
    def nobody(cls) -> "Ways":
        """No rows."""
        no_ints = np.empty(0, np.int64)
        return cls(np.empty(0), no_ints, np.empty(0), no_ints, no_ints, np.empty((0, 0)))

    def beside(self, others: "Ways") -> "Ways":
        """These rows, then the others."""
        steps = max(self.chance_RT.shape[1], others.chance_RT.shape[1])
        both = replace(self, chance_RT=_widened(self.chance_RT, steps))
        others = replace(others, chance_RT=_widened(others.chance_RT, steps))
        return Ways(
            *(np.concatenate([getattr(w, f.name) for w in (both, others)]) for f in fields(self))
        )

    def keep(self, rows: Ints | Mask) -> "Ways":
        """These rows alone."""
        return Ways(*(getattr(self, f.name)[rows] for f in fields(self)))

    @property
    def depth(self) -> int:
        """How many candidates the rows look at."""
        ranks_R = np.where(self.branch_R == _NEVER, 0, self.rank_R + 1)
        return int(np.maximum(self.top_k_R, ranks_R).max(initial=1))


def chances(seed: int, sample: int, steps: int) -> Doubles:
    """Numbers in [0, 1) for the steps of a sample: a function of the arguments, now and for ever.

    Philox is counter-based (Salmon et al. 2011), and its raw output, unlike what numpy's generators
    make of it, is fixed.
    """
    bits = np.random.Philox(key=np.array([seed, sample], np.uint64)).random_raw(steps)
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def draw(
    front: Front, rules: Rules, candidates: Candidates, ways: Ways, lengths_R: Ints
) -> Expansion:
    """Advance every row by one token, whatever the other rows of its search do.

    A row that has no candidate left is dropped.
    """
    log_probs_RD, ids_RD, gains_RD = candidates
    may_stop_R = rules.may_stop_C[front.searches_R]
    if not may_stop_R.all():
        barred_RD = (ids_RD == rules.eos_id) & ~may_stop_R[:, None]
        if barred_RD.any():
            gains_RD = np.where(barred_RD, -np.inf, gains_RD)
            order_RD = np.argsort(-gains_RD, axis=1, kind="stable")
            log_probs_RD = np.take_along_axis(log_probs_RD, order_RD, axis=1)
            ids_RD = np.take_along_axis(ids_RD, order_RD, axis=1)
            gains_RD = np.take_along_axis(gains_RD, order_RD, axis=1)
    column_R = np.zeros(len(ids_RD), np.int64)
    drawing = np.flatnonzero(ways.temperature_R > 0)
    if len(drawing):
        column_R[drawing] = _cast(gains_RD[drawing], ways.keep(drawing), lengths_R[drawing])
    branching_R = ways.branch_R == lengths_R
    column_R[branching_R] = ways.rank_R[branching_R]
    return _expansion(front, rules, (log_probs_RD, ids_RD, gains_RD), column_R)


def _cast(gains_RD: Doubles, ways: Ways, lengths_R: Ints) -> Ints:
    """The column that each row draws: chance runs along the probabilities, best first.

    Sums are made from the left (`cumsum`), so that candidates beyond a row's own change nothing.
    """
    depth = gains_RD.shape[1]
    gains_RD = np.where(np.arange(depth) < ways.top_k_R[:, None], gains_RD, -np.inf)
    best_R1 = np.where(np.isfinite(gains_RD[:, :1]), gains_RD[:, :1], 0.0)
    with np.errstate(invalid="ignore"):  # a model that gives no numbers gets column 0
        mass_RD = np.exp((gains_RD - best_R1) / ways.temperature_R[:, None]).cumsum(axis=1)
    # The nucleus: all candidates that the wanted part of the mass is not complete before.
    enough_R1 = ways.top_p_R[:, None] * mass_RD[:, -1:]
    kept_R = np.minimum((mass_RD < enough_R1).sum(axis=1), depth - 1)
    rows = np.arange(len(gains_RD))
    point_R = ways.chance_RT[rows, lengths_R] * mass_RD[rows, kept_R]
    drawn_R: Ints = np.minimum((mass_RD <= point_R[:, None]).sum(axis=1), kept_R)
    return drawn_R


def _expansion(
    front: Front, rules: Rules, candidates: tuple[Floats, Ints, Doubles], column_R: Ints
) -> Expansion:
    log_probs_RD, ids_RD, gains_RD = candidates
    rows = np.arange(len(ids_RD))
    there_R = column_R < ids_RD.shape[1]  # a small vocabulary has no candidate of a high rank
    column_R = np.where(there_R, column_R, 0)
    tokens_R = ids_RD[rows, column_R]
    totals_R = front.totals_R + gains_RD[rows, column_R]
    possible_R = there_R & (totals_R > -np.inf)
    ends_R = (tokens_R == rules.eos_id) | rules.last_C[front.searches_R]
    everything = Picks(front.searches_R, rows, tokens_R, log_probs_RD[rows, column_R], totals_R)
    return Expansion(
        take(everything, np.flatnonzero(possible_R & ~ends_R)),
        take(everything, np.flatnonzero(possible_R & ends_R)),
    )


def _widened(chance_RT: Doubles, steps: int) -> Doubles:
    return np.pad(chance_RT, ((0, 0), (0, steps - chance_RT.shape[1])))
