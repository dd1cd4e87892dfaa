"""Sentences are mended where it is certain what was meant."""

import html
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from training.data.cleaning.characters import Kind, codes_of, kinds_of
from training.data.cleaning.checks import Side
from training.data.cleaning.mending import mend


@pytest.mark.parametrize(
    ("text", "meant", "what"),
    [
        ("FrÃ¼hling", "Frühling", "double-encoding"),
        ("FrÃƒÂ¼hling", "Frühling", "double-encoding"),
        ("â€œQuotedâ€\x9d \u00e2\u20ac\u201c dash", "“Quoted” – dash", "double-encoding"),
        ("Ã\xa0 bientÃ´t", "à bientôt", "double-encoding"),
        ("ÐŸÑ€Ð¸Ð²ÐµÑ‚", "Привет", "double-encoding"),
        ("Ã–sterreich", "Österreich", "double-encoding"),
        ("VoilÃ\xa0 !", "Voilà !", "double-encoding"),
        ("byÅ‚o", "było", "double-encoding"),
        ("Tom &amp; Mary", "Tom & Mary", "entities"),
        ("Tom &amp;amp; Mary", "Tom & Mary", "entities"),
        ("it&#39;s &#x201c;it&#x201d;", "it's “it”", "entities"),
        ("Ein\u00admal\u200beins\x07", "Einmaleins", "invisible-characters"),
        ("\ufeffHallo", "Hallo", "invisible-characters"),
        ("  Guten\u00a0 \u2003Tag\r", "Guten Tag", "white-space"),
        ("Bru\u0308cke", "Brücke", "composition"),
    ],
)
def test_what_was_meant_is_restored(text: str, meant: str, what: str) -> None:
    found, names = mend(text)

    assert meant == found
    assert what in names


@pytest.mark.parametrize(
    "text",
    [
        "Frühling",
        "NÃO É ÂNGULO",
        "AMANHÃ…",
        "É…",
        "un café…”",
        "NESCAFÉ® MARCHÉ²",
        "Ein Â und ein Ã stehen allein.",
        "AT&T; R&D; &nonsense; a & b",
        "3 &lt 4",
        "می‌خواهم",
        "क्‍ष",
        "👩‍👩‍👧",
        "Привет",
        "ﬁ",
    ],
)
def test_what_is_right_stays(text: str) -> None:
    assert (text, frozenset()) == mend(text)


TEXT = st.text(
    st.one_of(
        st.characters(exclude_categories=("Cs",)),
        st.sampled_from("&;#xampltgÃ¼Â â€œ™\u00a0\u00ad\u0308\u200b\ufeff \t"),
    ),
    max_size=40,
)


@given(TEXT)
@example("&am\u200bp;amp;")
@example("&#xc3;&#xbc;")
@example("\u0344")
def test_mending_what_is_mended_changes_nothing(text: str) -> None:
    once, _ = mend(text)

    assert (once, frozenset()) == mend(once)


@given(TEXT)
def test_mended_text_is_composed_and_single_spaced(text: str) -> None:
    once, _ = mend(text)

    assert unicodedata.is_normalized("NFC", once)
    assert " ".join(once.split()) == once


@given(st.text("abcxyz &;äöüßéàèçñøåж中–“”…’€"))
def test_text_encoded_twice_becomes_what_mending_makes_of_the_text(text: str) -> None:
    twice = "".join(map(_shown, text.encode()))

    assert mend(text)[0] == mend(twice)[0]


def test_a_letter_before_a_french_exclamation_mark_stays() -> None:
    assert "IL EST FERMÉ !" == mend("IL EST FERMÉ\xa0!")[0]
    assert "c'est fermé »" == mend("c'est fermé\xa0»")[0]


def _shown(byte: int) -> str:
    """A byte as Windows-1252 shows it."""
    data = bytes([byte])
    return data.decode("cp1252", "ignore") or data.decode("latin-1")


@given(st.lists(TEXT.filter(lambda text: "\n" not in text), max_size=8))
def test_a_sentence_that_is_not_suspect_needs_no_mending(sentences: list[str]) -> None:
    suspect = Side(sentences, kinds_of(None)).suspect().tolist()

    for sentence, looked_at in zip(sentences, suspect, strict=True):
        assert looked_at or (sentence, frozenset()) == mend(sentence)


@given(TEXT)
def test_entities_come_and_go(text: str) -> None:
    assert mend(text)[0] == mend(html.escape(text))[0]


def test_what_cannot_be_seen_is_odd_and_letters_know_their_script() -> None:
    kinds = kinds_of(("LATIN",))[codes_of(["aß中щ1\u0301\x00\u00a0\ufffd."])].tolist()

    assert [
        *(Kind.LETTER, Kind.LETTER, Kind.FOREIGN, Kind.FOREIGN, Kind.DIGIT, Kind.MARK),
        *(Kind.ODD, Kind.ODD, Kind.ODD, Kind.OTHER, Kind.NEWLINE),
    ] == kinds
