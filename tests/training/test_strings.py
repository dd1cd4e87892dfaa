"""The corpora of strings: every pair is true, and the score speaks of strings never seen."""

from collections import Counter
from pathlib import Path

import pytest

from training.config import DataConfig
from training.data.corpus import Corpus, read_corpus
from training.data.strings import ANSWERS, string_pairs


def corpus(kind: str, seed: int = 1, *, shortest: int = 2, longest: int = 5) -> Corpus:
    config = DataConfig(
        kind=kind,  # type: ignore[arg-type]  # a value of the parameter
        train_pairs=900,
        dev_pairs=300,
        min_symbols=shortest,
        max_symbols=longest,
    )
    return read_corpus(config, Path("nowhere"), seed)


def test_copying_gives_what_was_read() -> None:
    made = corpus("copy")

    assert [pair.source for pair in made.train] == [pair.target for pair in made.train]


def test_reversal_gives_it_from_the_end() -> None:
    made = corpus("reversal")

    assert ["".join(reversed(pair.source)) for pair in made.dev] == [p.target for p in made.dev]


@pytest.mark.parametrize("seed", [1, 2])
def test_no_string_stands_in_both_parts_whatever_the_seeds(seed: int) -> None:
    train = {pair.source for pair in corpus("copy", 1, longest=2).train}
    dev = {pair.source for pair in corpus("reversal", seed, longest=2).dev}

    assert set() == train & dev
    assert len(train) > 80
    assert dev


def test_all_lengths_are_equally_often_there() -> None:
    counts = Counter(len(pair.source) for pair in corpus("copy", shortest=3, longest=6).train)

    assert {3, 4, 5, 6} == counts.keys()
    assert 2 * min(counts.values()) > max(counts.values())


def test_a_seed_decides_the_corpus() -> None:
    one, same, other = (string_pairs(ANSWERS["copy"], (30, 10), seed, (2, 9)) for seed in (4, 4, 5))

    assert one == same
    assert one != other
