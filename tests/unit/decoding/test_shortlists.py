"""What rows are scored over, whoever comes and goes."""

import random

import numpy as np
import pytest

from service.bundle import Shortlist
from service.bundle.graphs import (
    CANDIDATE_COUNTS,
    CANDIDATE_IDS,
    CANDIDATES,
    ROW_ORDER,
    SHORT_ROWS,
    WHOLE_ROWS,
)
from service.decoding.shortlists import Shortlists

SIZE = 200
PAD, EOS = 2, 3
BROUGHT = [sorted({(v * k + 5) % SIZE for k in range(v % 7)}) for v in range(SIZE)]
LIST = Shortlist(
    always_A=np.array([EOS]),
    offsets=np.concatenate([[0], np.cumsum([len(each) for each in BROUGHT])]),
    ids=np.array([token for each in BROUGHT for token in each]),
)

Source = tuple[int, ...]


def wanted(source: Source) -> list[int]:
    """The oracle."""
    return sorted({EOS}.union(*(BROUGHT[token] for token in source)))


def told(shortlists: Shortlists, sources_R: list[int], top_k: int = 4) -> list[list[int] | None]:
    """The candidates of each row; None where it is scored over everything."""
    feeds = shortlists.feeds(np.array(sources_R, np.int64), top_k)
    assert feeds[CANDIDATES].shape[1] >= top_k
    assert (np.diff(feeds[CANDIDATE_IDS]) > 0).all()
    rows: list[list[int] | None] = [None] * len(feeds[WHOLE_ROWS])
    for places, count in zip(feeds[CANDIDATES], feeds[CANDIDATE_COUNTS], strict=True):
        rows.append(feeds[CANDIDATE_IDS][places[:count]].tolist())
        assert {PAD}.issuperset(feeds[CANDIDATE_IDS][places[count:]].tolist())
    everybody = [*feeds[WHOLE_ROWS].tolist(), *feeds[SHORT_ROWS].tolist()]
    assert list(range(len(sources_R))) == [everybody[place] for place in feeds[ROW_ORDER]]
    return [rows[place] for place in feeds[ROW_ORDER]]


@pytest.mark.parametrize("seed", range(8))
def test_every_row_has_its_sources_candidates_after_any_comings_and_goings(seed: int) -> None:
    chance = random.Random(seed)
    shortlists = Shortlists(LIST, PAD)
    held: list[tuple[Source, bool]] = []
    for _ in range(30):
        joining = [
            (tuple(chance.choices(range(SIZE), k=chance.randrange(1, 9))), chance.random() < 0.3)
            for _ in range(chance.randrange(4))
        ]
        if joining:
            shortlists.add([source for source, _ in joining], [whole for _, whole in joining])
            held += joining
        if held:
            rows = sorted(chance.choices(range(len(held)), k=chance.randrange(1, 12)))
            expected = [None if held[r][1] else wanted(held[r][0]) for r in rows]
            assert expected == told(shortlists, rows, top_k=chance.choice([1, 4, 40]))
            kept = sorted(chance.sample(range(len(held)), chance.randrange(1, len(held) + 1)))
            shortlists.keep(np.array(kept))
            held = [held[b] for b in kept]


def test_when_all_are_scored_over_everything_the_union_has_padding() -> None:
    shortlists = Shortlists(LIST, PAD)
    shortlists.add([(5, 6), (7,)], [True, True])

    assert [None, None] == told(shortlists, [0, 1])
    assert [PAD] == shortlists.feeds(np.array([0, 1]), 1)[CANDIDATE_IDS].tolist()


def test_what_only_the_gone_wanted_leaves_the_union() -> None:
    shortlists = Shortlists(LIST, PAD)
    shortlists.add([(20,), (40, 41, 46, 48)], [False, False])
    shortlists.keep(np.array([0]))

    assert (
        sorted({PAD, *wanted((20,))}) == shortlists.feeds(np.array([0]), 1)[CANDIDATE_IDS].tolist()
    )
