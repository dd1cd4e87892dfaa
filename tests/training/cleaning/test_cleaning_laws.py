"""What holds for any corpus: nothing leaks, nothing is lost, order and processes change nothing."""

import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.training.cleaning.corpora import Pairs, cleaned, read_part
from training.data.cleaning.components import components
from training.data.cleaning.keys import normal_forms
from training.data.cleaning.ratio import disproportionate
from training.data.cleaning.rules import choose_limits
from training.data.cleaning.split import deal

PARTS = ("train", "dev", "test")
# Few words, so that sentences come back, in other writings too; and some of everything bad.
WORD = st.sampled_from(
    ["Tom", "tom", "lacht", "laut", "FrÃ¼h", "früh", "&amp;", "<b>", "\u200b", "12", "a" * 30, "!"]
)
SENTENCE = st.lists(WORD, max_size=5).map(" ".join)
CORPUS = st.lists(st.tuples(SENTENCE, SENTENCE.map(str.swapcase)), min_size=1, max_size=40)
many_files = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def usable(pairs: Pairs) -> Pairs:
    """With pairs that no rule drops and that hang together with no other."""
    return [
        *pairs,
        *((f"Satz {letter * 4}", f"Sentence {letter * 4}") for letter in "bcdfghjkmnpq"),
    ]


def parts(tmp_path: Path) -> dict[str, Pairs]:
    return {part: read_part(tmp_path / "out", part) for part in PARTS}


@many_files
@given(CORPUS, st.integers(0, 5), st.integers(0, 5))
def test_no_sentence_of_either_side_stands_in_two_parts(tmp_path, pairs, dev, test) -> None:
    cleaned(tmp_path, usable(pairs), dev=dev, test=test)
    found = parts(tmp_path)

    for side in (0, 1):
        forms = [set(normal_forms([pair[side] for pair in found[part]])) for part in PARTS]
        assert sum(map(len, forms)) == len(set.union(*forms))


@many_files
@given(CORPUS, st.integers(0, 5))
def test_every_pair_is_kept_or_dropped_for_a_reason(tmp_path, pairs, dev) -> None:
    report = cleaned(tmp_path, usable(pairs), dev=dev)
    found = parts(tmp_path)

    assert len(usable(pairs)) == report.read
    assert report.read == sum(map(len, found.values())) + report.dropped.total()
    assert {part.name: part.pairs for part in report.parts} == {p: len(found[p]) for p in PARTS}


@many_files
@given(CORPUS, st.randoms(use_true_random=False))
def test_the_order_of_the_lines_changes_no_part(tmp_path, pairs, chance: random.Random) -> None:
    shuffled = chance.sample(usable(pairs), len(usable(pairs)))
    found = []
    for each in (usable(pairs), shuffled):
        cleaned(tmp_path, each, dev=2, test=2)
        found.append({part: Counter(lines) for part, lines in parts(tmp_path).items()})

    assert found[0] == found[1]


@many_files
@given(CORPUS)
def test_cleaning_what_is_clean_drops_and_mends_nothing(tmp_path, pairs) -> None:
    cleaned(tmp_path, usable(pairs))
    first = read_part(tmp_path / "out", "train")
    again = cleaned(tmp_path, first)

    assert (0, 0) == (again.dropped.total(), again.mended.total())
    assert first == read_part(tmp_path / "out", "train")


@many_files
@given(CORPUS, st.integers(0, 1000))
def test_the_same_seed_writes_the_same_bytes(tmp_path, pairs, seed) -> None:
    contents = []
    for _ in range(2):
        cleaned(tmp_path, usable(pairs), dev=2, seed=seed)
        files = sorted((tmp_path / "out").iterdir())
        contents.append([(file.name, file.read_bytes()) for file in files])

    assert contents[0] == contents[1]


def test_another_seed_deals_other_parts(tmp_path: Path) -> None:
    pairs = [(f"Satz {i:b}".replace("0", "o").replace("1", "l"), f"s {i}x") for i in range(200)]
    found = []
    for seed in (1, 2):
        cleaned(tmp_path, pairs, dev=20, seed=seed, plan={"limits": choose_limits()})
        found.append(read_part(tmp_path / "out", "dev"))

    assert 20 == len(found[0]) == len(found[1])
    assert found[0] != found[1]


def reference_components(edges: list[tuple[int, int]]) -> list[int]:
    """Union-find, one edge at a time."""
    parent: dict[tuple[str, int], tuple[str, int]] = {}

    def root(node: tuple[str, int]) -> tuple[str, int]:
        while parent.setdefault(node, node) != node:
            node = parent[node]
        return node

    for source, target in edges:
        parent[root(("s", source))] = root(("t", target))
    names = [root(("s", source)) for source, _ in edges]
    order = list(dict.fromkeys(names))
    return [order.index(name) for name in names]


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=30))
def test_components_are_those_of_a_plain_union_find(edges) -> None:
    sides = [np.array([edge[i] for edge in edges], dtype=np.uint64) for i in (0, 1)]
    found = components(*sides).tolist()
    order = list(dict.fromkeys(found))

    assert reference_components(edges) == [order.index(each) for each in found]


def test_a_long_chain_is_one_component() -> None:
    chain = np.random.default_rng(1).permutation(10_000).astype(np.uint64)

    links = np.concatenate([chain[:-1], chain[1:]]), np.concatenate([chain[:-1], chain[:-1]])
    assert 1 == len(set(components(*links).tolist()))


def test_a_large_component_is_trained_on() -> None:
    source = np.array([7] * 90 + list(range(100, 110)), dtype=np.uint64)
    dealt = deal(source, np.arange(100, dtype=np.uint64), (10, 50), seed=3)

    assert {0} == set(dealt.part_P[:90].tolist())
    assert (11, 90) == (dealt.components, dealt.largest)
    assert (10, 0) == tuple(int((dealt.part_P == place).sum()) for place in (1, 2))


@given(st.lists(st.tuples(st.integers(1, 300), st.integers(1, 300)), min_size=1))
def test_lengths_that_are_kept_once_are_kept_again(lengths) -> None:
    sides = [np.array([pair[i] for pair in lengths], dtype=np.int32) for i in (0, 1)]
    dropped, usual = disproportionate(*sides, limit=1.5)
    again, same = disproportionate(*(side[~dropped] for side in sides), limit=1.5)

    assert not again.any()
    assert usual == pytest.approx(same)
