"""Sentences come cut otherwise in every epoch, and say the same."""

from functools import cache

import numpy as np
import pytest

from service.bundle import SentencePieceTokenizer
from tests.training.tiny import SPECIAL
from training.config import BatchConfig, SubwordConfig, TokenizerConfig
from training.data.batches import BatchSampler, Example, encode_pairs
from training.data.corpus import Drops, Pair
from training.data.fitting import fit_tokenizer
from training.data.subwords import SubwordSampler

KINDS = ("unigram", "bpe")
LONGEST = 40


def corpus() -> list[Pair]:
    """Words that are made of syllables, so that there is something to cut."""
    rng = np.random.default_rng(5)
    words = ["".join(rng.choice(["la", "mi", "so", "re", "do"], 3)) for _ in range(30)]
    return [
        Pair(" ".join(rng.choice(words, 4)), " ".join(rng.choice(words, 3)).upper())
        for _ in range(60)
    ]


class Cut:
    """A corpus with a fitted tokenizer."""

    def __init__(self, kind: str) -> None:
        self.kind = TokenizerConfig(model=kind, vocabulary_size=320)  # type: ignore[arg-type]  # a value of the parameter
        spec, self.model = fit_tokenizer(self.kind, corpus(), seed=1)
        self.tokenizer = SentencePieceTokenizer(self.model, SPECIAL, spec)

    def sampler(self, pairs: list[Pair], **config: float) -> SubwordSampler:
        pairs, examples = self.encoded(pairs)
        return SubwordSampler(SubwordConfig(**config), self.kind, self.model, pairs, examples)

    def encoded(self, pairs: list[Pair]) -> tuple[list[Pair], list[Example]]:
        return encode_pairs(pairs, self.tokenizer, SPECIAL.eos, LONGEST, Drops())

    def texts(self, examples: list[Example]) -> list[tuple[str, str]]:
        return [
            (self.tokenizer.decode(e.source.tolist()), self.tokenizer.decode(e.target.tolist()))
            for e in examples
        ]


@cache
def fitted(kind: str) -> Cut:
    return Cut(kind)


@pytest.fixture(params=KINDS)
def cut(request: pytest.FixtureRequest) -> Cut:
    return fitted(request.param)


def plain(examples: list[Example]) -> list[tuple[list[int], list[int]]]:
    return [(e.source.tolist(), e.target.tolist()) for e in examples]


def epoch(sampler: SubwordSampler, number: int = 0, *, seed: int = 1) -> list[Example]:
    return sampler.epoch(number, seed=seed, longest=LONGEST)


def test_the_words_stay_the_same_and_each_side_ends_in_eos(cut: Cut) -> None:
    examples = epoch(cut.sampler(corpus(), source=1.0, target=1.0))

    assert corpus() == cut.texts(examples)
    assert {SPECIAL.eos} == {int(side[-1]) for e in examples for side in (e.source, e.target)}


def test_most_sentences_are_cut_into_other_pieces(cut: Cut) -> None:
    usual = cut.encoded(corpus())[1]
    drawn = epoch(cut.sampler(corpus(), source=1.0, target=1.0, alpha=0.1, dropout=0.3))
    changed = [one != other for one, other in zip(plain(usual), plain(drawn), strict=True)]

    assert sum(changed) > 0.6 * len(changed)


def test_a_side_that_is_not_asked_for_stays_as_it_is(cut: Cut) -> None:
    usual = cut.encoded(corpus())[1]
    drawn = epoch(cut.sampler(corpus(), source=1.0))

    assert [e.target.tolist() for e in usual] == [e.target.tolist() for e in drawn]
    assert [e.source.tolist() for e in usual] != [e.source.tolist() for e in drawn]


def test_a_share_of_the_sentences_is_cut_at_random_and_the_rest_as_usual(cut: Cut) -> None:
    usual = cut.encoded(corpus())[1]
    some = epoch(cut.sampler(corpus(), source=0.3, alpha=0.1, dropout=0.5))
    changed = sum(a != b for a, b in zip(plain(usual), plain(some), strict=True))

    assert 0 < changed <= 0.5 * len(usual)


def test_where_regularisation_grows_so_does_that_share(cut: Cut) -> None:
    usual = plain(cut.encoded(corpus())[1])
    sampler = cut.sampler(corpus(), source=1.0, alpha=0.1, dropout=0.5)
    none, some, most = (
        sum(a != b for a, b in zip(usual, plain(drawn), strict=True))
        for drawn in (
            sampler.epoch(0, seed=1, longest=LONGEST, strength=strength)
            for strength in (0.0, 0.5, 1.0)
        )
    )

    assert 0 == none < some < most


def test_a_seed_and_an_epoch_decide_the_pieces_whatever_was_drawn_before(cut: Cut) -> None:
    fresh, used = (cut.sampler(corpus(), source=1.0, target=1.0) for _ in range(2))
    for number in range(3):
        epoch(used, number)

    assert plain(epoch(fresh, 3)) == plain(epoch(used, 3))


def test_a_sentence_is_cut_the_same_whatever_its_neighbours_are(cut: Cut) -> None:
    others = [Pair("lalala", "DODODO"), *corpus()[1:]]
    one, two = (plain(epoch(cut.sampler(p, source=1.0, target=1.0))) for p in (corpus(), others))

    assert one[1:] == two[1:]


def test_epochs_and_seeds_cut_differently(cut: Cut) -> None:
    sampler = cut.sampler(corpus(), source=1.0)

    assert plain(epoch(sampler, 0)) != plain(epoch(sampler, 1))
    assert plain(epoch(sampler, 0)) != plain(epoch(sampler, 0, seed=2))


def test_a_side_that_would_grow_too_long_is_cut_as_usual(cut: Cut) -> None:
    pairs, usual = cut.encoded(corpus())
    longest = max(len(e.source) for e in usual)
    wild = cut.sampler(pairs, source=1.0, alpha=0.01, dropout=0.9)
    freely = wild.epoch(0, seed=1, longest=1000)
    bounded = wild.epoch(0, seed=1, longest=longest)

    assert max(len(e.source) for e in freely) > longest
    assert max(len(e.source) for e in bounded) <= longest


def test_the_character_that_pieces_write_for_a_space_survives(cut: Cut) -> None:
    pairs = [Pair("lala \u2581 mimi", "x\u2581y")]

    assert pairs == cut.texts(epoch(cut.sampler(pairs, source=1.0, target=1.0)))


def test_batches_are_made_of_the_pieces_of_their_epoch(cut: Cut) -> None:
    sampler = cut.sampler(corpus(), source=1.0, target=1.0)
    batches = BatchSampler(lambda n: epoch(sampler, n), SPECIAL, BatchConfig(), 1)
    early = batches.epoch(0)
    first = [next(early)]
    later = list(batches.epoch(1))  # another epoch is read while the first is under way
    first += early

    for number, found in ((0, first), (1, later)):
        wanted = sorted(plain(epoch(sampler, number)))
        read = sorted(
            (source.tolist(), [i for i in target.tolist() if i != SPECIAL.pad])
            for batch in found
            for source, target in zip(batch.source_BS, batch.target_out_BT, strict=True)
        )

        assert wanted == read
