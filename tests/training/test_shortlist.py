"""The shortlist that is learnt from a corpus."""

import random

import numpy as np
import pytest

from service.bundle import Shortlist, dump_shortlist, parse_shortlist
from tests.training.tiny import SPECIAL
from training.data.batches import Example
from training.export.shortlist import train_shortlist

SIZE = 60


def corpus(count: int = 400) -> list[Example]:
    """Sources of tokens 4..29; each is translated by the token 30 above it, in another order."""
    chance = random.Random(1)
    examples = []
    for _ in range(count):
        source = [chance.randrange(4, 30) for _ in range(chance.randrange(1, 8))]
        target = [token + 30 for token in source]
        chance.shuffle(target)
        examples.append(Example(np.array([*source, SPECIAL.eos]), np.array([*target, SPECIAL.eos])))
    return examples


def candidates(shortlist: Shortlist, source: list[int]) -> list[int]:
    return np.flatnonzero(shortlist.chosen([source])[0]).tolist()


def test_each_token_brings_its_translation() -> None:
    shortlist = train_shortlist(corpus(), SIZE, SPECIAL, each=1, always=0)

    for token in range(4, 30):
        assert [SPECIAL.eos, token + 30] == candidates(shortlist, [token])


def test_the_most_frequent_targets_and_the_end_are_always_in() -> None:
    examples = [Example(np.array([4, 3]), np.array([50, 51, 50, 3]))] * 3
    examples += [Example(np.array([5, 3]), np.array([52, 3]))]
    shortlist = train_shortlist(examples, SIZE, SPECIAL, each=0, always=2)

    assert [SPECIAL.eos, 50] == shortlist.always_A.tolist()
    assert [SPECIAL.eos, 50] == candidates(shortlist, [4])


def test_a_token_never_seen_brings_nothing() -> None:
    shortlist = train_shortlist(corpus(), SIZE, SPECIAL, each=3, always=0)

    assert shortlist.always_A.tolist() == candidates(shortlist, [SPECIAL.unk, 59])


def test_more_candidates_are_a_superset() -> None:
    few, many = (train_shortlist(corpus(), SIZE, SPECIAL, each=n, always=3) for n in (2, 5))

    for source in ([4], [5, 9, 12], list(range(4, 30))):
        assert set(candidates(few, source)) <= set(candidates(many, source))


def test_the_same_corpus_gives_the_same_file() -> None:
    one, two = (train_shortlist(corpus(), SIZE, SPECIAL, each=3, always=5) for _ in range(2))

    assert dump_shortlist(one) == dump_shortlist(two)


@pytest.mark.parametrize("each", [0, 4])
def test_the_file_gives_it_back(each: int) -> None:
    shortlist = train_shortlist(corpus(), SIZE, SPECIAL, each=each, always=5)
    again = parse_shortlist(dump_shortlist(shortlist), SIZE, [SPECIAL.eos])

    for source in ([4], [5, 9, 12]):
        assert candidates(shortlist, source) == candidates(again, source)
