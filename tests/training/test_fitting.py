"""Fitting a tokenizer: the same text gives the same vocabulary, and no text is lost in it."""

import random
import unicodedata
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.bundle import Tokenizer, TokenizerSpec, load_tokenizer
from training.config import TokenizerConfig
from training.data.corpus import CorpusError, Pair
from training.data.fitting import SPECIAL_IDS, fit_tokenizer

TEXT = (
    "der die das und ist nicht ein eine Haus Baum Straße Bahnhof schön grün gehen kommen heute "
    "morgen the a house tree street station beautiful green go come today tomorrow is not and"
)


@cache
def corpus() -> tuple[Pair, ...]:
    rng, words = random.Random(1), TEXT.split()

    def sentence() -> str:
        return " ".join(rng.choice(words) for _ in range(rng.randint(2, 9))) + "."

    return tuple(Pair(sentence(), sentence()) for _ in range(300))


@cache
def fitted(kind: str) -> tuple[TokenizerSpec, bytes]:
    if kind == "characters":
        return fit_tokenizer(TokenizerConfig(kind="characters"), corpus(), seed=1)
    config = TokenizerConfig(kind="sentencepiece", model=kind, vocabulary_size=312)  # type: ignore[arg-type]  # a value of the parameter
    return fit_tokenizer(config, corpus(), seed=1)


def tokenizer(kind: str) -> Tokenizer:
    spec, file = fitted(kind)
    return load_tokenizer(spec, SPECIAL_IDS, file)


KINDS = ["unigram", "bpe", "characters"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_corpus_gives_the_same_file(kind: str) -> None:
    fitted.cache_clear()
    first = fitted(kind)
    fitted.cache_clear()

    assert first == fitted(kind)


@pytest.mark.parametrize("kind", KINDS)
def test_the_file_is_what_its_description_says(kind: str) -> None:
    spec, _ = fitted(kind)

    assert spec.vocabulary_size == tokenizer(kind).vocabulary_size


@pytest.mark.parametrize("kind", KINDS)
def test_every_sentence_of_the_corpus_comes_back(kind: str) -> None:
    known = tokenizer(kind)
    sentences = [sentence for pair in corpus() for sentence in pair]

    assert sentences == [known.decode(known.encode(sentence)) for sentence in sentences]


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
@given(text=st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=20))
def test_subwords_lose_nothing_but_what_normalising_takes(kind: str, text: str) -> None:
    """Characters that the corpus never showed travel as bytes."""
    known = tokenizer(kind)

    assert known.normalise(text) == known.decode(known.encode(text))


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
@pytest.mark.parametrize(
    ("written", "usual"),
    [
        ("scho\u0308n", "schön"),
        ("ｇｒｅｅｎ", "green"),
        ("ein\u00a0Haus", "ein Haus"),
        ("  ein   Haus ", "ein Haus"),
        ("日本 🦀", "日本 🦀"),
    ],
)
def test_unusual_forms_come_back_as_their_usual_ones(kind: str, written: str, usual: str) -> None:
    known = tokenizer(kind)

    assert unicodedata.normalize("NFC", usual) == known.decode(known.encode(written))


@pytest.mark.parametrize("kind", KINDS)
def test_text_never_becomes_a_special_id(kind: str) -> None:
    special = {SPECIAL_IDS.pad, SPECIAL_IDS.bos, SPECIAL_IDS.eos}

    assert set() == special & set(tokenizer(kind).encode("</s><pad><s> das Haus"))


def test_a_character_that_the_table_lacks_is_unknown() -> None:
    known = tokenizer("characters")

    assert [SPECIAL_IDS.unk] == known.encode("日")


def test_characters_are_ordered_by_how_common_they_are() -> None:
    pairs = [Pair("aab", "aac"), Pair("b", "a")]
    spec, file = fit_tokenizer(TokenizerConfig(kind="characters"), pairs, seed=1)

    assert list("abc") == load_tokenizer(spec, SPECIAL_IDS, file).pieces([4, 5, 6])


@pytest.mark.parametrize("kind", ["unigram", "bpe", "characters"])
@pytest.mark.parametrize("odd", ["\x00", "\u2581", "\u2585", "\ufffd", "a" * 1000, "🦀", "\x85"])
def test_an_odd_sentence_stops_no_run(kind: str, odd: str) -> None:
    pairs = [*corpus(), Pair(f"das {odd} Haus", odd)]
    config = (
        TokenizerConfig(kind="characters")
        if kind == "characters"
        else TokenizerConfig(model=kind, vocabulary_size=312)  # type: ignore[arg-type]  # a value of the parameter
    )
    spec, file = fit_tokenizer(config, pairs, seed=1)

    assert "das" == load_tokenizer(spec, SPECIAL_IDS, file).decode(
        load_tokenizer(spec, SPECIAL_IDS, file).encode("das")
    )


SOUNDS = [Pair("가각", "k a̠ ɡ a̠ k̚"), Pair("각", "k a̠ k̚")]


def test_a_symbol_table_has_a_part_for_each_side() -> None:
    spec, file = fit_tokenizer(TokenizerConfig(kind="symbols"), SOUNDS, seed=1)
    known = load_tokenizer(spec, SPECIAL_IDS, file)

    assert ["각", "가", "▁a̠", "▁k", "▁k̚", "▁ɡ"] == known.pieces([4, 5, 6, 7, 8, 9])
    assert SOUNDS == [
        (known.decode(known.encode(word)), known.decode(known.encode_target(said)))
        for word, said in SOUNDS
    ]


@pytest.mark.parametrize("kind", ["characters", "symbols"])
def test_a_table_is_fitted_to_the_form_that_it_will_read(kind: str) -> None:
    config = TokenizerConfig(kind=kind, normalisation="nfd")  # type: ignore[arg-type]  # a value of the parameter
    spec, file = fit_tokenizer(config, SOUNDS, seed=1)
    known = load_tokenizer(spec, SPECIAL_IDS, file)

    assert 5 == len(known.encode("가각"))
    assert known.unk_id not in known.encode("가각")


def test_a_corpus_too_small_for_its_vocabulary_is_said_to_be() -> None:
    with pytest.raises(CorpusError, match=r"tokenizer\.vocabulary_size 8000 does not fit"):
        fit_tokenizer(TokenizerConfig(), [Pair("ja", "yes")], seed=1)
