"""Search as a function of values: live hypotheses and candidates in, survivors and finished out.

All searches of one width advance together, in one set of array operations; nothing here knows
tensors of the model, requests or time. Legend: C searches, R live rows (those of one search
contiguous, searches ascending), K candidates per row, N picked candidates.
"""

from dataclasses import dataclass
from math import isfinite
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.decoding.scoring import Doubles
from service.decoding.stepper import Floats, Ints

Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, slots=True)
class Front:
    """The live hypotheses of C searches of one width: summed log-probabilities, and whose."""

    width: int
    totals_R: Doubles
    searches_R: Ints


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """What each search allows at this step: to end with eos, and to go on after it.

    `held` and `ending` tell whether there may be a search that may not stop, and one whose last
    step this is: mostly there is none, and nothing need be compared.
    """

    eos_id: int
    lengths_C: Ints
    min_lengths_C: Ints
    max_lengths_C: Ints
    held: bool = True
    ending: bool = True

    @property
    def may_stop_C(self) -> Mask:  # noqa: N802 - a shape suffix
        """Whose hypotheses may end with eos."""
        return self.lengths_C >= self.min_lengths_C

    @property
    def last_C(self) -> Mask:  # noqa: N802 - the same
        """Whose hypotheses cannot go on after this step."""
        return self.lengths_C + 1 >= self.max_lengths_C


class Picks(NamedTuple):
    """Candidates taken, by search and then best first.

    `parents_N` are rows of the front (`None`: candidate n continues row n).
    """

    searches_N: Ints
    parents_N: Ints | None
    tokens_N: Ints
    log_probs_N: Floats
    totals_N: Doubles


class Expansion(NamedTuple):
    """One step of the search; whatever is in neither part was dropped."""

    survivors: Picks
    finished: Picks


_NO_IDS = np.empty(0, np.int64)
_NOTHING = Picks(_NO_IDS, _NO_IDS, _NO_IDS, np.empty(0, np.float32), np.empty(0))


def candidates_needed(width: int, *, may_stop: bool = True) -> int:
    """How many candidates per row a search of this width looks at.

    Twice the width, so that when up to half the candidates end, the live beam is still full. A
    beam of width 1 has no use for a runner-up: it is over when its hypothesis ends. Only while
    eos is forbidden does it need one more, in case the best is eos.
    """
    if width > 1:
        return 2 * width
    return 1 if may_stop else 2


def expand(
    front: Front,
    rules: Rules,
    log_probs_RK: Floats,
    ids_RK: Ints,
    gains_RK: Doubles | None = None,
) -> Expansion:
    """Advance every search by one token.

    `gains_RK` is what candidates add to the total, where that is not their log-probability; they
    must be sorted by it.

    The best 2 x width candidates of a search are ranked by summed log-probability; ties go to the
    earlier row, then to the candidate listed first (the lower id). Those that end within the first
    `width` ranks are finished; eos further down is dropped, for it was no better than what
    the beam keeps. The first `width` others survive, or are finished too when this step is the last
    of their search. Candidates of no finite probability never count.
    """
    if front.width == 1:
        return _expand_greedy(front, rules, log_probs_RK, ids_RK, gains_RK)
    width = front.width
    ranked_by = log_probs_RK if gains_RK is None else gains_RK
    best_CN, rows_CN, columns_CN = _rank(front, rules, ranked_by, ids_RK)
    possible_CN = best_CN > -np.inf
    ends_CN = ids_RK[rows_CN, columns_CN] == rules.eos_id
    ends_CN &= possible_CN
    goes_on_CN = possible_CN & ~ends_CN
    goes_on_CN &= np.cumsum(goes_on_CN, axis=1) <= width
    ends_CN[:, width:] = False
    if rules.ending and (last_C := rules.last_C).any():
        ends_CN |= goes_on_CN & last_C[:, None]
        goes_on_CN &= ~last_C[:, None]

    def pick(chosen_CN: Mask) -> Picks:
        rows_N, columns_N = rows_CN[chosen_CN], columns_CN[chosen_CN]
        return Picks(
            searches_N=np.nonzero(chosen_CN)[0],
            parents_N=rows_N,
            tokens_N=ids_RK[rows_N, columns_N],
            log_probs_N=log_probs_RK[rows_N, columns_N],
            totals_N=best_CN[chosen_CN],
        )

    return Expansion(pick(goes_on_CN), pick(ends_CN))


def _rank(
    front: Front, rules: Rules, gains_RK: Floats | Doubles, ids_RK: Ints
) -> tuple[Doubles, Ints, Ints]:
    """The best 2 x width candidates of each search, best first: totals, rows and columns."""
    searches, width = len(rules.lengths_C), front.width
    depth = min(candidates_needed(width), gains_RK.shape[1])
    totals_RK = front.totals_R[:, None] + gains_RK[:, :depth]
    if rules.held and not (may_stop_C := rules.may_stop_C).all():
        held_R = ~may_stop_C[front.searches_R]
        totals_RK[(ids_RK[:, :depth] == rules.eos_id) & held_R[:, None]] = -np.inf

    # A search may have fewer rows than its width: lay all of them out in a grid of full beams.
    first_C = np.searchsorted(front.searches_R, np.arange(searches))
    rows = len(totals_RK)
    if rows == searches * width:
        grid_CN = totals_RK.reshape(searches, width * depth)
    else:
        grid_CWK = np.full((searches, width, depth), -np.inf)
        grid_CWK[front.searches_R, np.arange(rows) - first_C[front.searches_R]] = totals_RK
        grid_CN = grid_CWK.reshape(searches, width * depth)

    # Stable, so that equal totals keep the order of the grid. (Not a number sorts last.)
    order_CN = np.argsort(-grid_CN, axis=1, kind="stable")[:, : 2 * width]
    best_CN = np.take_along_axis(grid_CN, order_CN, axis=1)
    slots_CN, columns_CN = np.divmod(order_CN, depth)
    rows_CN = np.minimum(first_C[:, None] + slots_CN, rows - 1)  # empty places: any row will do
    return best_CN, rows_CN, columns_CN


def _expand_greedy(
    front: Front, rules: Rules, log_probs_RK: Floats, ids_RK: Ints, gains_RK: Doubles | None
) -> Expansion:
    """The same for width 1, where row and search are one and there is nothing to rank."""
    tokens_C, log_probs_C = ids_RK[:, 0], log_probs_RK[:, 0]
    gains_C = log_probs_C if gains_RK is None else gains_RK[:, 0]
    # At most steps nobody ends. To see that in a list costs less than any operation on arrays.
    eos_seen = rules.eos_id in tokens_C.tolist()
    if eos_seen and rules.held and ids_RK.shape[1] > 1:
        second_C = ~rules.may_stop_C & (tokens_C == rules.eos_id)
        tokens_C = np.where(second_C, ids_RK[:, 1], tokens_C)
        log_probs_C = np.where(second_C, log_probs_RK[:, 1], log_probs_C)
        gains_C = log_probs_C
        if gains_RK is not None:
            gains_C = np.where(second_C, gains_RK[:, 1], gains_RK[:, 0])
    totals_C = front.totals_R + gains_C
    everything = Picks(front.searches_R, None, tokens_C, log_probs_C, totals_C)
    if not (eos_seen or rules.ending) and isfinite(np.add.reduce(totals_C)):
        return Expansion(everything, _NOTHING)
    possible_C = totals_C > -np.inf
    ends_C = tokens_C == rules.eos_id
    if rules.ending:
        ends_C |= rules.last_C
    goes_on_C = possible_C & ~ends_C
    if goes_on_C.all():
        return Expansion(everything, _NOTHING)
    return Expansion(
        take(everything, np.flatnonzero(goes_on_C)),
        take(everything, np.flatnonzero(possible_C & ends_C)),
    )


def take(picks: Picks, chosen_N: Ints) -> Picks:
    """These picks alone; their numbers ascend."""
    if not len(chosen_N):
        return _NOTHING
    if len(chosen_N) == len(picks.tokens_N):
        return picks if picks.parents_N is not None else picks._replace(parents_N=chosen_N)
    parents_N = chosen_N if picks.parents_N is None else picks.parents_N[chosen_N]
    return Picks(
        picks.searches_N[chosen_N],
        parents_N,
        picks.tokens_N[chosen_N],
        picks.log_probs_N[chosen_N],
        picks.totals_N[chosen_N],
    )


def prune(survivors: Picks, ceiling_C: Doubles, floor_C: Doubles) -> Picks:
    """Leave out every hypothesis that can no longer win: this is what ends a beam, exactly.

    `floor_C` is the score that the worst of the wanted finished hypotheses has (minus infinity
    while there are fewer than wanted). A total divided by `ceiling_C` is the most that any
    completion can score; one that could only draw level would come second, being later.
    """
    bounds_N = survivors.totals_N / ceiling_C[survivors.searches_N]
    hopeful_N = bounds_N > floor_C[survivors.searches_N]
    return survivors if hopeful_N.all() else take(survivors, np.flatnonzero(hopeful_N))
