"""Symbol tokenizers: letters in, symbols with spaces between them out, nothing lost on the way."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.bundle import (
    BundleError,
    SpecialIds,
    Tokenizer,
    TokenizerSpec,
    load_tokenizer,
    symbol_table,
)

SPECIALS = SpecialIds(pad=0, unk=1, bos=2, eos=3)
LETTERS = "abcdeßé ▁"
SOUNDS = ["a", "aː", "t͡ʃ", "ɑ̃", "▁", "<s>"]


def load(
    data: bytes, size: int, normalisation: str = "identity", specials: SpecialIds = SPECIALS
) -> Tokenizer:
    spec = TokenizerSpec(
        kind="symbols", file="symbols.json", normalisation=normalisation, vocabulary_size=size
    )
    return load_tokenizer(spec, specials, data)


def symbols(letters: str = LETTERS, normalisation: str = "identity") -> Tokenizer:
    size = 4 + len(letters) + len(SOUNDS)
    return load(symbol_table(letters, SOUNDS), size, normalisation)


TABLE = symbols()
sounds = st.lists(st.sampled_from(SOUNDS), max_size=12).map(" ".join)


@given(answer=sounds)
def test_an_answer_comes_back_as_it_was_written(answer: str) -> None:
    assert answer == TABLE.decode(TABLE.encode_target(answer)) == TABLE.normalise(answer)


@given(word=st.text(st.sampled_from(LETTERS), max_size=20))
def test_a_source_comes_back_letter_by_letter(word: str) -> None:
    assert word == TABLE.decode(TABLE.encode(word))
    assert len(word) == len(TABLE.encode(word))


def test_a_letter_and_a_symbol_that_look_alike_are_two() -> None:
    assert [4] == TABLE.encode("a")
    assert [4 + len(LETTERS)] == TABLE.encode_target("a")


def test_white_space_in_an_answer_only_divides() -> None:
    assert "t͡ʃ aː" == TABLE.normalise("  t͡ʃ \t aː\n")
    assert TABLE.encode_target("t͡ʃ aː") == TABLE.encode_target("  t͡ʃ \t aː\n")


@given(answer=st.text(st.characters(categories=["L", "Cs", "Zs", "Mn"]), max_size=20))
def test_what_the_table_lacks_becomes_unknown_and_nothing_else_changes(answer: str) -> None:
    known = [each if each in SOUNDS else "\ufffd" for each in answer.split()]

    assert " ".join(known) == TABLE.decode(TABLE.encode_target(answer))


def test_a_korean_syllable_is_read_as_its_letters() -> None:
    jamo = "".join(chr(code) for code in (0x1100, 0x1161, 0x1102, 0x11BC))
    korean = symbols(jamo, "nfd")

    assert [4, 5] == korean.encode("가")
    assert jamo == korean.decode(korean.encode(unicodedata.normalize("NFC", jamo)))


def test_the_normalisation_is_of_the_source_alone() -> None:
    """Answers are compared with references as they stand."""
    table = load(symbol_table("e\u0301", ["é"]), 7, "nfd")

    assert [4, 5] == table.encode("é")
    assert "é" == table.decode(table.encode_target("é"))


@given(ids=st.lists(st.integers(-(2**40), 2**40) | st.integers(-1, 30), max_size=30))
def test_any_ids_can_be_decoded_and_shown(ids: list[int]) -> None:
    TABLE.decode(ids).encode()
    assert len(ids) == len(TABLE.pieces(ids))


def test_padding_begin_and_end_mean_nothing() -> None:
    ids = TABLE.encode_target("aː a")

    assert "aː a" == TABLE.decode([SPECIALS.bos, *ids, SPECIALS.eos, SPECIALS.pad])


def test_pieces_show_what_follows_a_space() -> None:
    ids = [*TABLE.encode("b"), *TABLE.encode_target("t͡ʃ"), SPECIALS.eos]

    assert ["b", "▁t͡ʃ", "</s>"] == TABLE.pieces(ids)


def test_special_ids_may_lie_anywhere() -> None:
    specials = SpecialIds(pad=6, unk=0, bos=1, eos=3)
    table = load(symbol_table("ab", ["x"]), 7, specials=specials)

    assert ([2, 4], [5, 0]) == (table.encode("ab"), table.encode_target("x y"))


@pytest.mark.parametrize(
    ("letters", "sounds", "said"),
    [
        (["ab"], [], r"characters\[0\]: 'ab' is not one character"),
        (["a", "b", "a"], [], r"characters\[2\]: 'a' is already at 0"),
        ([], ["a", "a"], r"symbols\[1\]: 'a' is already at 0"),
        ([], ["a b"], r"symbols\[0\]: 'a b' is not one symbol"),
        ([], [""], r"symbols\[0\]: '' is not one symbol"),
        ([], ["\ud800"], r"symbols\[0\]: .* is not one symbol"),
    ],
)
def test_a_table_of_anything_else_is_not_made(
    letters: list[str], sounds: list[str], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        symbol_table(letters, sounds)


@pytest.mark.parametrize(
    ("data", "size", "normalisation", "said"),
    [
        (b"", 5, "nfd", "is no symbol table"),
        (b'{"characters": ["a"]}', 5, "nfd", "symbols: missing"),
        (b'{"characters": ["ab"], "symbols": []}', 5, "nfd", "'ab' is not one character"),
        (b'{"characters": ["a"], "symbols": []}', 9, "nfd", "has 5 pieces, special ones included"),
        (b'{"characters": ["a"], "symbols": []}', 5, "nmt", "'nmt' is none of those"),
    ],
)
def test_a_bad_table_is_refused_with_the_reason(
    data: bytes, size: int, normalisation: str, said: str
) -> None:
    with pytest.raises(BundleError, match=said):
        load(data, size, normalisation)


def test_a_special_id_outside_of_a_table_is_refused() -> None:
    with pytest.raises(BundleError, match="no piece for the special id 9"):
        load(symbol_table("a", "b"), 6, specials=SpecialIds(pad=9, unk=1, bos=2, eos=3))
