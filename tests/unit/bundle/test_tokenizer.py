"""Tokenizers: any text in, the same text out, up to the normalisation that is declared."""

import io
import unicodedata
from typing import Any

import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st

from service.bundle import (
    BundleError,
    SpecialIds,
    Tokenizer,
    TokenizerSpec,
    character_table,
    load_tokenizer,
)

SPECIALS = SpecialIds(pad=0, unk=1, bos=2, eos=3)
SENTENCES = [
    "Das ist ein kleiner Test.",
    "Wo ist der Bahnhof?",
    "Where is the station?",
    "This is a small test, you see.",
]


def fit(**options: Any) -> bytes:
    """A small SentencePiece model."""
    model = io.BytesIO()
    defaults: dict[str, Any] = {
        "vocab_size": 300,
        "hard_vocab_limit": False,
        "byte_fallback": True,
        "model_type": "unigram",
        "normalization_rule_name": "identity",
        "remove_extra_whitespaces": False,
        "pad_id": SPECIALS.pad,
        "unk_id": SPECIALS.unk,
        "bos_id": SPECIALS.bos,
        "eos_id": SPECIALS.eos,
        "minloglevel": 2,
        "num_threads": 1,
    }
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES * 5), model_writer=model, **{**defaults, **options}
    )
    return model.getvalue()


def load(data: bytes, normalisation: str = "identity", size: int | None = None) -> Tokenizer:
    if size is None:
        size = sentencepiece.SentencePieceProcessor(model_proto=data).vocab_size()
    spec = TokenizerSpec(
        kind="sentencepiece",
        file="tokenizer.model",
        normalisation=normalisation,
        vocabulary_size=size,
    )
    return load_tokenizer(spec, SPECIALS, data)


def characters(text: str, normalisation: str = "identity") -> Tokenizer:
    data = character_table(text, SPECIALS)
    spec = TokenizerSpec(
        kind="characters",
        file="characters.json",
        normalisation=normalisation,
        vocabulary_size=4 + len(text),
    )
    return load_tokenizer(spec, SPECIALS, data)


IDENTITY = load(fit())
BPE = load(fit(model_type="bpe"))
BARE = load(fit(add_dummy_prefix=False))
NFKC = load(
    fit(normalization_rule_name="nmt_nfkc", remove_extra_whitespaces=True), normalisation="nmt_nfkc"
)
LETTERS = characters("abcdeßäé ▁")
COMPOSED = characters("abcdeßäé ▁", normalisation="nfc")

unicode_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
awkward_text = st.text(
    st.sampled_from(
        " \u2581\n\t\0a<s></s><unk>ß日😀\u0301\u00a0\u200b\ufeff\ufffd\U0010fffd\U0010fffc"
    ),
    max_size=40,
)


@given(text=unicode_text | awkward_text)
@pytest.mark.parametrize("tokenizer", [IDENTITY, BPE, BARE], ids=["unigram", "bpe", "bare"])
def test_without_normalisation_every_text_comes_back_as_it_went(
    tokenizer: Tokenizer, text: str
) -> None:
    assert text == tokenizer.decode(tokenizer.encode(text))
    assert text == tokenizer.normalise(text)


@given(text=unicode_text | awkward_text)
def test_with_normalisation_the_normalised_text_comes_back(text: str) -> None:
    assert NFKC.normalise(text) == NFKC.decode(NFKC.encode(text))


def test_the_declared_normalisation_is_applied() -> None:
    assert "fi Kopf a" == NFKC.normalise(" \ufb01  Ｋopf\u00a0a ")


@given(text=unicode_text | awkward_text)
@pytest.mark.parametrize("tokenizer", [IDENTITY, BPE, NFKC], ids=["unigram", "bpe", "nfkc"])
def test_byte_fallback_leaves_nothing_unknown(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.unk_id not in tokenizer.encode(text)


@given(text=st.text(st.characters(categories=["Cs", "Ll", "Zs"]), max_size=20))
@pytest.mark.parametrize("tokenizer", [IDENTITY, NFKC, LETTERS], ids=["sp", "nfkc", "table"])
def test_lone_surrogates_stop_nobody(tokenizer: Tokenizer, text: str) -> None:
    ids = tokenizer.encode(text)

    assert isinstance(tokenizer.decode(ids), str)


@given(ids=st.lists(st.integers(-(2**40), 2**40) | st.integers(-1, 320), max_size=30))
@pytest.mark.parametrize("tokenizer", [IDENTITY, NFKC, LETTERS], ids=["sp", "nfkc", "table"])
def test_any_ids_can_be_decoded_and_shown(tokenizer: Tokenizer, ids: list[int]) -> None:
    decoded = tokenizer.decode(ids)

    decoded.encode("utf-8")
    assert len(ids) == len(tokenizer.pieces(ids))


@pytest.mark.parametrize("tokenizer", [IDENTITY, NFKC, LETTERS], ids=["sp", "nfkc", "table"])
def test_padding_begin_and_end_mean_nothing(tokenizer: Tokenizer) -> None:
    a = tokenizer.encode("ab")

    assert "ab" == tokenizer.decode([SPECIALS.bos, *a, SPECIALS.eos, SPECIALS.pad])
    assert ["<s>", "</s>", "<pad>", "<unk>"] == tokenizer.pieces([2, 3, 0, 1])


@pytest.mark.parametrize("tokenizer", [IDENTITY, NFKC, LETTERS], ids=["sp", "nfkc", "table"])
def test_the_names_of_special_ids_in_a_text_are_text(tokenizer: Tokenizer) -> None:
    special = {SPECIALS.pad, SPECIALS.bos, SPECIALS.eos}

    assert not special & set(tokenizer.encode("<s> </s> <pad>"))


def test_the_empty_text_has_no_ids() -> None:
    assert [] == IDENTITY.encode("") == LETTERS.encode("")
    assert "" == IDENTITY.decode([]) == LETTERS.decode([])


def test_a_long_text_is_no_trouble() -> None:
    text = "Wo ist der Bahnhof? \u2581" * 5_000

    assert text == IDENTITY.decode(IDENTITY.encode(text))


@given(text=st.text(st.sampled_from("abcdeßäé ▁"), max_size=30))
def test_a_table_gives_back_every_text_of_its_characters(text: str) -> None:
    assert text == LETTERS.decode(LETTERS.encode(text))


@given(text=unicode_text)
def test_what_a_table_lacks_becomes_unknown_and_nothing_else_changes(text: str) -> None:
    expected = "".join(c if c in "abcdeßäé ▁" else "\ufffd" for c in text)

    assert expected == LETTERS.decode(LETTERS.encode(text))


def test_a_table_composes_when_its_normalisation_says_so() -> None:
    decomposed = unicodedata.normalize("NFD", "bäé")

    assert "bäé" == COMPOSED.decode(COMPOSED.encode(decomposed))
    assert "ba\ufffde\ufffd" == LETTERS.decode(LETTERS.encode(decomposed))


def test_special_ids_may_lie_anywhere_in_a_table() -> None:
    specials = SpecialIds(pad=5, unk=0, bos=1, eos=3)
    data = character_table("ab", specials)

    assert b'{"pieces": ["<unk>", "<s>", "a", "</s>", "b", "<pad>"]}\n' == data


@pytest.mark.parametrize("letters", [["a", "a"], ["ab"], [""], ["\ud800"]])
def test_a_table_of_anything_but_distinct_characters_is_not_made(letters: list[str]) -> None:
    with pytest.raises(ValueError, match=r"pieces\[\d\]"):
        character_table(letters, SPECIALS)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "no character table"),
        (b"[]", "must be a table"),
        (b'{"pieces": "abc"}', "must be a list"),
        (b'{"pieces": ["a"], "x": 1}', "unknown key"),
        (b'{"pieces": ["a"]}', "no piece for the special id 1"),
        (b'{"pieces": ["", "", "", "", "ab"]}', "'ab' is not one character"),
        (b'{"pieces": ["", "", "", "", "a", "a"]}', "already at 4"),
        (b'{"pieces": ["", "", "", "", "a"]}', "has 5 pieces"),
    ],
)
def test_a_bad_table_is_refused_with_the_reason(data: bytes, expected: str) -> None:
    spec = TokenizerSpec(
        kind="characters", file="c.json", normalisation="identity", vocabulary_size=99
    )

    with pytest.raises(BundleError) as refused:
        load_tokenizer(spec, SPECIALS, data)

    assert expected in str(refused.value)


@pytest.mark.parametrize("data", [b"", b"garbage", b"\x0a\xff\xff\xff\xff\x0f", b"\x08\x01" * 50])
def test_what_is_no_sentencepiece_model_is_refused(data: bytes) -> None:
    with pytest.raises(BundleError, match=r"tokenizer\.model"):
        load(data, size=300)


@given(place=st.integers(0, 10_000), value=st.integers(0, 255))
def test_a_damaged_sentencepiece_model_is_refused_or_works(place: int, value: int) -> None:
    """Digests catch this first; what they cannot catch must still not bring the process down."""
    data = bytearray(DAMAGED)
    data[place % len(data)] = value

    try:
        tokenizer = load(bytes(data), size=IDENTITY.vocabulary_size)
    except BundleError:
        return
    tokenizer.decode(tokenizer.encode("Wo ist der Bahnhof? 日"))


DAMAGED = fit()


@pytest.mark.parametrize(
    ("options", "normalisation", "expected"),
    [
        ({"byte_fallback": False, "vocab_size": 40}, "identity", "0 byte pieces of 256"),
        ({}, "nfkc", "normalises by 'identity', tokenizer.normalisation says 'nfkc'"),
        ({"remove_extra_whitespaces": True}, "identity", "removes extra white space"),
        ({"pad_id": -1}, "identity", "its pad id is none, special_ids.pad says 0"),
        ({"unk_id": 3, "eos_id": 1}, "identity", "its unk id is 3, special_ids.unk says 1"),
        ({"treat_whitespace_as_suffix": True}, "identity", "white space unlike"),
    ],
)
def test_a_model_that_is_not_what_the_manifest_says_is_refused(
    options: dict[str, object], normalisation: str, expected: str
) -> None:
    with pytest.raises(BundleError) as refused:
        load(fit(**options), normalisation=normalisation)

    assert expected in str(refused.value)


def test_a_vocabulary_of_another_size_is_refused() -> None:
    with pytest.raises(BundleError, match="vocabulary_size says 7"):
        load(DAMAGED, size=7)
