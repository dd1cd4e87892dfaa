"""From phrases in text to phrases in tokens: every spelling, and nothing else."""

import io
from dataclasses import replace
from functools import cache

import pytest
import sentencepiece

from service.bundle import Tokenizer, TokenizerSpec, load_tokenizer, symbol_table
from service.decoding import Tokens
from service.errors import InvalidArgument
from service.translation import Term
from service.translation.phrases import Glossary, Speller
from tests.support.decoding import spellings
from tests.unit.translation.fakes import frozen, manifest

SENTENCES = ["the cat sat on the mat", "a cat and a hat", "the hat of the cat", "that mat is flat"]


@cache
def model() -> bytes:
    special = frozen().manifest.special_ids
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES * 5),
        model_writer=written,
        vocab_size=300,
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        hard_vocab_limit=False,
        pad_id=special.pad,
        unk_id=special.unk,
        bos_id=special.bos,
        eos_id=special.eos,
        minloglevel=2,
        num_threads=1,
    )
    return written.getvalue()


def spec() -> TokenizerSpec:
    size = sentencepiece.SentencePieceProcessor(model_proto=model()).vocab_size()
    return TokenizerSpec(
        kind="sentencepiece", file="t.model", normalisation="identity", vocabulary_size=size
    )


@cache
def tokenizer() -> Tokenizer:
    return load_tokenizer(spec(), frozen().manifest.special_ids, model())


def of_pieces() -> Speller:
    return Speller(replace(manifest(), tokenizer=spec()), tokenizer())


def of_characters() -> Speller:
    return Speller(manifest(), frozen().tokenizer)


@pytest.mark.parametrize("text", ["at", "cat", "é", "a h"])
def test_every_spelling_says_the_phrase_and_none_is_left_out(text: str) -> None:
    found = spellings(of_pieces().phrase("forbidden_phrases[0]", text))

    assert tuple(tokenizer().encode(text)) in found
    assert {text} == {tokenizer().decode(each).strip() for each in found}
    assert len(set(found)) == len(found)
    pieces = tokenizer().pieces(range(tokenizer().vocabulary_size))
    whole = {(i,) for i, piece in enumerate(pieces) if piece in (text, f"▁{text}")}
    assert whole == {each for each in found if len(each) == 1}


def test_a_phrase_is_found_at_the_start_of_a_word_and_within() -> None:
    found = {tuple(tokenizer().pieces(each)) for each in spellings(of_pieces().phrase("f", "a"))}

    assert {("▁a",), ("▁", "a"), ("a",), ("<0x20>", "<0x61>"), ("<0x61>",)} <= found


def test_characters_have_one_spelling() -> None:
    speller = of_characters()

    assert [tuple(frozen().tokenizer.encode("ab c"))] == spellings(speller.phrase("f", " ab c "))


def test_what_the_vocabulary_lacks_has_no_spelling() -> None:
    assert [] == spellings(of_characters().phrase("f", "a漢"))


@pytest.mark.parametrize(
    ("phrases", "field", "message"),
    [
        (["a", " "], "forbidden_phrases[1]", "is empty"),
        (["x" * 201], "forbidden_phrases[0]", "has 201 characters; the limit is 200"),
        (["a"] * 129, "forbidden_phrases", "at most 128, got 129"),
    ],
)
def test_phrases_beyond_a_limit_are_named(phrases: list[str], field: str, message: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        of_characters().phrases("forbidden_phrases", phrases)

    assert field == caught.value.field
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("terms", "field", "message"),
    [
        ([Term("a", "b"), Term(" ", "b")], "terminology[1].source", "is empty"),
        ([Term("a", " ")], "terminology[0].target", "is empty"),
        ([Term("a", "漢")], "terminology[0].target", "does not know"),
        ([Term("x" * 201, "b")], "terminology[0].source", "has 201 characters"),
        ([Term("a", "b")] * 129, "terminology", "at most 128, got 129"),
    ],
)
def test_terms_beyond_a_limit_are_named(terms: list[Term], field: str, message: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        Glossary(terms, of_characters(), "de")

    assert field == caught.value.field
    assert message in caught.value.message


def test_terms_are_found_as_whole_words_in_the_case_they_have() -> None:
    """And with each target, which letters of the source ask for it."""
    encode = frozen().tokenizer.encode
    rail, yard, c = (tuple(encode(each)) for each in ("rail", "yard", "c"))
    terms = [Term("Bahn", "rail"), Term("Bahn-Hof", "yard"), Term("C", "c")]
    glossary = Glossary(terms, of_characters(), "de")

    def required(sentence: str) -> dict[Tokens, tuple[int, ...]]:
        return glossary.required(sentence, encode(sentence))

    assert {} == required("Bahnhof, bahn und Autobahn")
    assert {rail: (4, 5, 6, 7)} == required("Die Bahn.")
    assert {rail: (0, 1, 2, 3), yard: tuple(range(8))} == required("Bahn-Hof.")
    assert {c: (3, 6)} == required("in C, C!")


def test_terms_are_found_anywhere_where_words_have_no_spaces() -> None:
    glossary = Glossary([Term("北", "n")], of_characters(), "zh")

    assert 1 == len(glossary.required("东北人", frozen().tokenizer.encode("东北人")))


def test_the_places_of_a_term_are_all_pieces_that_have_a_part_of_it() -> None:
    speller, text = of_pieces(), "é the cat sat"
    ids = tokenizer().encode(text)
    pieces = tokenizer().pieces(ids)

    (letter, cat) = (speller.places(ids, text, [span]) for span in [(0, 1), (6, 9)])
    assert ["<0xC3>", "<0xA9>"] == [pieces[place] for place in letter]
    assert "cat" == "".join(pieces[place] for place in cat).strip("\u2581")
    assert letter + cat == speller.places(ids, text, [(0, 1), (6, 9)])


def test_the_places_of_a_text_that_was_changed_are_unknown() -> None:
    assert () == of_pieces().places(tokenizer().encode("the cat"), "the Cat", [(4, 7)])


def test_what_is_required_is_spelt_as_it_would_be_alone() -> None:
    assert tuple(tokenizer().encode("the cat")) == of_pieces().required("f", " the cat ")


def test_a_prefix_ends_with_its_last_word() -> None:
    assert tuple(tokenizer().encode("the cat")) == of_pieces().prefix("target_prefix", "the cat ")
    assert () == of_pieces().prefix("target_prefix", " \n")


def test_a_prefix_that_cannot_be_spelt_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="does not know"):
        of_characters().prefix("target_prefix", "漢")


# --- symbols ------------------------------------------------------------------------------------


@cache
def symbols() -> Tokenizer:
    data = symbol_table("ab", ["a", "aː", "t͡ʃ", "ç"])
    return load_tokenizer(SYMBOLS, frozen().manifest.special_ids, data)


SYMBOLS = TokenizerSpec(kind="symbols", file="t", normalisation="nfd", vocabulary_size=10)


def of_symbols() -> Speller:
    return Speller(replace(manifest(), tokenizer=SYMBOLS), symbols())


def test_a_phrase_of_symbols_is_made_of_whole_symbols() -> None:
    speller = of_symbols()
    said = speller.required("f", "t͡ʃ  aː ç")

    assert said in spellings(speller.phrase("f", "t͡ʃ aː ç"))
    assert said == speller.prefix("f", "t͡ʃ aː ç")
    with pytest.raises(InvalidArgument, match="does not know"):
        speller.required("f", "t͡ʃaː")


def test_the_places_of_letters_are_found_in_a_source_of_symbols() -> None:
    assert (1,) == of_symbols().places(symbols().encode("ab"), "ab", [(1, 2)])
