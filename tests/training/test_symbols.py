"""The corpora of the next-symbol models: words that are known, strings that are grammatical."""

import re
from collections import Counter
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from training.config import DataConfig
from training.data.corpus import Corpus, read_corpus
from training.data.reber import NO, YES, is_grammatical, reber_pairs
from training.data.words import WORDS, word_pairs

# Reber's grammar as a regular expression, derived by hand from the drawing in the paper: the upper
# way, the lower way, and the loop between them.
UPPER, LOWER = "TS*X", "(?:PT*V|TS*XXT*V)(?:PXT*V)*"
REBER = re.compile(f"B(?:{UPPER}S|{LOWER}V|{LOWER}PS)E")


def corpus(kind: str, seed: int = 1) -> Corpus:
    config = DataConfig(kind=kind, train_pairs=1500, dev_pairs=300)  # type: ignore[arg-type]  # a value of the parameter
    return read_corpus(config, Path("nowhere"), seed)


def test_the_first_symbol_decides_the_word() -> None:
    assert len(WORDS) == len({word[0] for word in WORDS})
    assert "HELLO" in WORDS


def test_training_foretells_every_symbol_of_a_word() -> None:
    made = corpus("words")

    assert {("", word) for word in WORDS} == set(made.train)


def test_h_is_to_be_gone_on_with_ello() -> None:
    made = corpus("words")

    assert {("H", "ELLO"), ("HE", "LLO"), ("HEL", "LO"), ("HELL", "O")} <= set(made.dev)
    assert {source + target for source, target in made.dev} == set(WORDS)
    assert all(source and target for source, target in made.dev)


def test_no_more_beginnings_are_made_than_there_are() -> None:
    assert 7 == len(word_pairs(1, 7, seed=1)[1])
    assert sum(len(word) - 1 for word in WORDS) == len(word_pairs(1, 9999, seed=1)[1])


@given(st.text("BTPSXVE", max_size=12))
def test_the_grammar_is_the_papers(text: str) -> None:
    assert bool(REBER.fullmatch(text)) == is_grammatical(text)


def test_every_string_is_judged_as_the_grammar_does() -> None:
    made = corpus("reber")

    for source, target in made.train + made.dev:
        assert (YES if REBER.fullmatch(source) else NO) == target


def test_half_of_the_strings_are_grammatical() -> None:
    counts = Counter(target for _, target in corpus("reber").train)

    assert {YES, NO} == counts.keys()
    assert 0.8 < counts[YES] / counts[NO] < 1.25


def test_no_string_stands_in_both_parts() -> None:
    train, dev = corpus("reber", 1).train, corpus("reber", 2).dev

    assert set() == {source for source, _ in train} & {source for source, _ in dev}


def test_a_seed_decides_the_corpora() -> None:
    for make in (word_pairs, reber_pairs):
        assert make(30, 10, 4) == make(30, 10, 4)
        assert make(30, 10, 4) != make(30, 10, 5)
