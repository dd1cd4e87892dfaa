"""Every example once an epoch, in batches of one source length and little padding."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from service.bundle import CharacterTokenizer, TokenizerSpec, character_table
from tests.training.tiny import SPECIAL
from training.config import BatchConfig
from training.data.batches import Batch, BatchSampler, Example, encode_pairs, pad_rows
from training.data.corpus import Drops, Pair

Lengths = list[tuple[int, int]]
LENGTHS = st.lists(st.tuples(st.integers(1, 6), st.integers(1, 9)), min_size=1, max_size=60)


def examples_of(lengths: Lengths) -> list[Example]:
    """Examples of these source and target lengths; the target tells which one it is."""
    return [
        Example(
            np.array([4 + i % 7] * (source - 1) + [SPECIAL.eos]),
            np.array([100 + i] * target + [SPECIAL.eos]),
        )
        for i, (source, target) in enumerate(lengths)
    ]


def sampler(
    lengths: Lengths, *, tokens: int = 24, sentences: int = 5, seed: int = 1
) -> BatchSampler:
    config = BatchConfig(target_tokens=tokens, max_sentences=sentences)
    return BatchSampler(examples_of(lengths), SPECIAL, config, seed)


def numbers(batch: Batch) -> list[int]:
    """Which examples are in a batch."""
    return (batch.target_out_BT[:, 0] - 100).tolist()


def plain(batches: list[Batch]) -> list[tuple[object, ...]]:
    return [
        (
            batch.source_BS.tolist(),
            batch.source_lengths_B.tolist(),
            batch.target_in_BT.tolist(),
            batch.target_out_BT.tolist(),
        )
        for batch in batches
    ]


MANY: Lengths = [(1 + i % 4, 1 + i % 9) for i in range(80)]


@given(LENGTHS)
def test_each_example_comes_once_an_epoch(lengths: Lengths) -> None:
    seen = Counter(number for batch in sampler(lengths).epoch(0) for number in numbers(batch))

    assert Counter(range(len(lengths))) == seen


@given(LENGTHS)
def test_a_batch_has_one_source_length(lengths: Lengths) -> None:
    for batch in sampler(lengths).epoch(0):
        assert {batch.source_BS.shape[1]} == set(batch.source_lengths_B.tolist())


@given(LENGTHS)
def test_a_batch_keeps_the_budget_of_tokens_and_sentences(lengths: Lengths) -> None:
    for batch in sampler(lengths, tokens=24, sentences=5).epoch(0):
        assert batch.tokens <= 24
        assert len(batch.source_BS) <= 5


def test_one_sentence_beyond_the_budget_is_a_batch_of_its_own() -> None:
    assert [[0]] == [numbers(batch) for batch in sampler([(3, 50)], tokens=24).epoch(0)]


@given(LENGTHS, st.integers(0, 5))
def test_a_seed_and_an_epoch_decide_the_batches(lengths: Lengths, epoch: int) -> None:
    once, again = (list(sampler(lengths, seed=7).epoch(epoch)) for _ in range(2))

    assert plain(once) == plain(again)


def test_epochs_come_in_different_orders() -> None:
    first, second = (plain(list(sampler(MANY).epoch(number))) for number in (0, 1))

    assert first != second


def test_epochs_put_different_sentences_together() -> None:
    first, second = (
        {frozenset(numbers(batch)) for batch in sampler([(3, 4)] * 40).epoch(number)}
        for number in (0, 1)
    )

    assert first != second


def test_seeds_give_different_orders() -> None:
    first, second = (plain(list(sampler(MANY, seed=seed).epoch(0))) for seed in (1, 2))

    assert first != second


@given(LENGTHS, st.integers(0, 12))
def test_skipping_is_leaving_out_the_first_batches(lengths: Lengths, skipped: int) -> None:
    whole = list(sampler(lengths).epoch(3))

    assert plain(whole[skipped:]) == plain(list(sampler(lengths).epoch(3, skip=skipped)))


@given(LENGTHS)
def test_every_epoch_has_as_many_batches(lengths: Lengths) -> None:
    """The trainer counts on it: its schedule ends with the last step."""
    batches = sampler(lengths)

    assert [len(list(batches.epoch(n))) for n in range(4)] == [batches.batches_in(0)] * 4


def test_the_decoder_is_fed_what_it_should_have_said_before() -> None:
    [batch] = sampler([(2, 3)]).epoch(0)

    assert [[SPECIAL.bos, 100, 100, 100]] == batch.target_in_BT.tolist()
    assert [[100, 100, 100, SPECIAL.eos]] == batch.target_out_BT.tolist()


def test_shorter_targets_are_padded_behind_their_end() -> None:
    [batch] = sampler([(2, 1), (2, 2)]).epoch(0)

    assert [
        [100, SPECIAL.eos, SPECIAL.pad],
        [101, 101, SPECIAL.eos],
    ] == batch.target_out_BT.tolist()
    assert [[SPECIAL.bos, 100, SPECIAL.pad], [SPECIAL.bos, 101, 101]] == batch.target_in_BT.tolist()


def test_rows_are_padded_on_the_right() -> None:
    rows = pad_rows([np.array([5]), np.array([6, 7])], 0)

    assert torch.equal(torch.tensor([[5, 0], [6, 7]]), rows)


@pytest.fixture
def letters() -> CharacterTokenizer:
    spec = TokenizerSpec(
        kind="characters", file="t.json", normalisation="identity", vocabulary_size=6
    )
    return CharacterTokenizer(character_table("ab", SPECIAL), SPECIAL, spec)


def test_both_sides_end_in_eos(letters: CharacterTokenizer) -> None:
    _, [example] = encode_pairs([Pair("ab", "b")], letters, SPECIAL.eos, 9, Drops())

    assert [4, 5, SPECIAL.eos] == example.source.tolist()
    assert [5, SPECIAL.eos] == example.target.tolist()


def test_pairs_with_a_side_of_too_many_tokens_are_dropped_and_counted(
    letters: CharacterTokenizer,
) -> None:
    drops = Drops()
    pairs = [Pair("aaaa", "a"), Pair("aaa", "bbb"), Pair("a", "bbbb")]
    pairs, kept = encode_pairs(pairs, letters, SPECIAL.eos, 4, drops)

    assert [Pair("aaa", "bbb")] == pairs
    assert [[4, 4, 4, SPECIAL.eos]] == [example.source.tolist() for example in kept]
    assert ["2 dropped: longer than 4 tokens (first at pair 1: 'aaaa')"] == drops.lines()
