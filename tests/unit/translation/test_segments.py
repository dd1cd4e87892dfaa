"""Splitting texts and putting them together: nothing is lost, white space stays."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.translation import split


def sentences(text: str, language: str = "de") -> list[str]:
    return list(split(text, language=language, sentences=True).sentences)


def words_fit(limit: int):
    return lambda text: len(text.split()) <= limit


@given(st.text())
@example("z.\u2028B. so")
@example("Am 3.\u00a0Mai. Gut.")
@example("a\r\nb\x0bc\x1cd\x85e\u2029f")
def test_sentences_and_gaps_make_up_the_text(text):
    segments = split(text, language="de", sentences=True)

    assert text == segments.join(segments.sentences, target_language="ja")


@given(st.text(alphabet=st.sampled_from("aé, .\n\u0301好。"), max_size=60), st.integers(1, 9))
def test_cut_sentences_and_gaps_make_up_the_text(text, limit):
    segments = split(text, language="de", sentences=True, fits=lambda s: len(s) <= limit)

    assert text == segments.join(segments.sentences, target_language="ja")
    assert all(len(each) <= limit for each in segments.sentences)


def test_one_sentence_is_left_alone():
    assert ["Wo ist der Bahnhof?"] == sentences("Wo ist der Bahnhof?")


def test_a_paragraph_becomes_its_sentences():
    text = "Dr. Müller kam um 8.30 Uhr. Dann ging er.  Warum?"

    assert ["Dr. Müller kam um 8.30 Uhr.", "Dann ging er.", "Warum?"] == sentences(text)


def test_every_line_is_translated_by_itself():
    segments = split("Titel\n\n  Erster Satz\r\nZweiter\n", language="de", sentences=True)

    assert ("Titel", "Erster Satz", "Zweiter") == segments.sentences
    assert ("", "\n\n  ", "\r\n", "\n") == segments.gaps


def test_white_space_stays_as_it_was():
    segments = split("\tEins.  Zwei.\n \nDrei. ", language="de", sentences=True)

    assert "\tOne.  Two.\n \nThree. " == segments.join(["One.", "Two.", "Three."], "en")


def test_without_sentences_the_text_is_one_segment_with_its_line_breaks():
    segments = split(" Eins. Zwei.\nDrei. ", language="de", sentences=False)

    assert ("Eins. Zwei.\nDrei.",) == segments.sentences


@pytest.mark.parametrize("text", ["", "   ", "\n\n"])
def test_a_text_of_white_space_has_no_segment_and_stays_as_it_is(text):
    segments = split(text, language="de", sentences=True)

    assert () == segments.sentences
    assert text == segments.join([])


def test_sentences_that_touch_get_a_space_in_languages_that_want_one():
    segments = split("これはペンです。あれは本です。", language="ja", sentences=True)

    assert "This is a pen. That is a book." == segments.join(
        ["This is a pen.", "That is a book."], "en-GB"
    )
    assert "甲。乙。" == segments.join(["甲。", "乙。"], "zh-Hant")


@pytest.mark.parametrize("space", ["\u00a0", "\u2028", "\u3000", "\u202f"])
def test_white_space_beyond_ascii_does_not_upset_the_splitter(space):
    """sentencex 1.0 panics on it after a full stop, when it is shown it."""
    assert sentences(f"A.{space}B.{space}x. Ja.")


def test_a_sentence_that_is_too_long_is_cut_after_a_clause_near_its_middle():
    text = "wenn es morgen regnet, bleiben wir alle lieber zu Hause"
    segments = split(text, language="de", sentences=True, fits=words_fit(7))

    assert ("wenn es morgen regnet,", "bleiben wir alle lieber zu Hause") == segments.sentences
    assert segments.was_cut


def test_without_a_clause_it_is_cut_between_words_near_its_middle():
    segments = split("a b c d e f", language="de", sentences=True, fits=words_fit(4))

    assert ("a b c", "d e f") == segments.sentences


def test_without_words_it_is_cut_anywhere_but_before_an_accent():
    segments = split("abe\u0301d", language="de", sentences=True, fits=lambda s: len(s) <= 3)

    assert ("abe\u0301"[:2], "e\u0301d") == segments.sentences


def test_what_fits_is_not_cut():
    assert not split("a b c", language="de", sentences=True, fits=words_fit(3)).was_cut


def test_a_single_character_is_taken_even_if_it_does_not_fit():
    assert ("a", "b") == split("ab", language="de", sentences=True, fits=lambda _: False).sentences


@pytest.mark.parametrize("language", ["de", "en", "fr", "hy", "hi", "ja", "th", "am"])
@given(
    st.text("abcäß ,'-.?!:19日।ไ", min_size=1, max_size=12)
    | st.lists(st.sampled_from(["Dr", "3", "Mr.", "e.g", "Z", "O'Hara,", "Ja", "x-y"])).map(
        " ".join
    )
)
def test_the_short_way_for_one_sentence_takes_it_as_the_library_would(
    language: str, text: str
) -> None:
    """A comma splits nothing; what might is left to the library."""
    plain = split(text, language=language, sentences=True)

    # The longer way is taken with anything before the text, such as a line.
    long = split(f"A:\n{text}", language=language, sentences=True)
    assert plain.sentences == long.sentences[1:]
