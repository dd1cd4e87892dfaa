"""Sources are encoded in the groups that cost least."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from service.decoding.buckets import buckets


def cost(groups: list[list[int]], lengths: list[int], run_cost: float) -> float:
    return sum(max(lengths[n] for n in group) * (len(group) + run_cost) for group in groups)


def test_sources_of_one_length_are_one_group() -> None:
    assert [[0, 1, 2]] == buckets([16, 16, 16])


def test_a_few_of_other_lengths_are_padded_rather_than_run_again() -> None:
    assert [[1, 0]] == buckets([24, 16])


def test_many_short_ones_are_not_padded_for_a_long_one() -> None:
    assert [list(range(20)), [20]] == buckets([8] * 20 + [64])


@given(st.lists(st.sampled_from([8, 16, 24, 32, 64]), max_size=9), st.sampled_from([0.5, 1.0, 3.0]))
def test_no_other_split_costs_less(lengths: list[int], run_cost: float) -> None:
    """Of the splits of the lengths in order: an exchange shows that others are no better."""
    found = buckets(lengths, run_cost)

    assert list(range(len(lengths))) == sorted(n for group in found for n in group)
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    inner = range(1, len(order))
    splits = [
        [order[a:b] for a, b in zip((0, *cuts), (*cuts, len(order)), strict=True)]
        for number in range(len(order))
        for cuts in combinations(inner, number)
    ] or [[]]
    assert min(cost(each, lengths, run_cost) for each in splits) == cost(found, lengths, run_cost)
