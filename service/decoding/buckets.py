"""Which sources are encoded together: the split that costs least."""

from collections.abc import Sequence

# What a run of the encoder costs beside its sources, in sources of the same length: it goes through
# its positions one after the other, however few rows there are. Measured: 0.07 ms a position, and
# 0.022 for each source.
_RUN_COST = 3.0


def buckets(lengths: Sequence[int], run_cost: float = _RUN_COST) -> list[list[int]]:
    """Numbers of the sources of these (padded) lengths in groups, each to be padded to its longest.

    A run costs its length times (its sources + `run_cost`). Shorter sources come first.
    """
    by_length: dict[int, list[int]] = {}
    for number, length in enumerate(lengths):
        by_length.setdefault(length, []).append(number)
    steps = sorted(by_length)
    # Best split of the shortest so many lengths: what it costs, and where its last group begins.
    cost, begins = [0.0], [0]
    for last, longest in enumerate(steps):
        rows, best, first = 0, float("inf"), last
        for start in range(last, -1, -1):
            rows += len(by_length[steps[start]])
            found = cost[start] + longest * (rows + run_cost)
            if found < best:
                best, first = found, start
        cost.append(best)
        begins.append(first)
    groups: list[list[int]] = []
    end = len(steps)
    while end:
        start = begins[end]
        groups.append([n for length in steps[start:end] for n in by_length[length]])
        end = start
    return groups[::-1]
