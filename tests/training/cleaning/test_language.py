"""All sentences at once get what the library's own loop gives one by one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from training.data.cleaning.language import Identifier, identifier
from training.data.cleaning.scripts import SCRIPTS, scripts_of

SENTENCES = [
    "Wo ist der Bahnhof?",
    "Where is the station?",
    "Où est la gare ?",
    "Где вокзал?",
    "駅はどこですか。",
    "NOBODY EXPECTS TO BE SHOUTED AT",
    "Tom",
    "10:30",
    "",
    "the the the the the the",
]


@pytest.fixture(scope="module")
def library() -> LanguageIdentifier:
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


@pytest.fixture(scope="module")
def ours() -> Identifier:
    return identifier()


def test_probabilities_are_those_of_the_library(ours, library) -> None:
    verdicts = ours.verdicts(SENTENCES, "en")
    theirs = [library.classify(sentence) for sentence in SENTENCES if sentence]
    found = [each for each, s in zip(verdicts.best_R, SENTENCES, strict=True) if s]

    assert [language for language, _ in theirs] == found
    sure = [p for p, s in zip(verdicts.best_probability_R, SENTENCES, strict=True) if s]
    assert [p for _, p in theirs] == pytest.approx(sure, abs=1e-4)


@settings(deadline=None, max_examples=20)
@given(st.lists(st.text(st.characters(exclude_categories=("Cs",)), max_size=40), max_size=6))
def test_company_changes_no_probability(texts: list[str]) -> None:
    ours = identifier()
    together = ours.probabilities([*texts, *SENTENCES])
    alone = [ours.probabilities([text])[0] for text in [*texts, *SENTENCES]]

    np.testing.assert_allclose(np.stack(alone), together, atol=1e-5)


def test_another_language_is_told_and_a_name_is_not(ours) -> None:
    wrong = ours.verdicts(["Où est la gare, s'il vous plaît ?", "Tom!", "Hallo Tom"], "en")

    assert [True, False, False] == wrong.other(0.05).tolist()
    assert wrong.sentence(0).startswith("fr with ")


def test_near_relatives_are_not_told_apart(ours) -> None:
    norwegian = ["Hvor er jernbanestasjonen, og når går toget til Oslo?"]

    assert [False] == ours.verdicts(norwegian, "nn-NO").other(0.05).tolist()
    assert [True] == ours.verdicts(norwegian, "de").other(0.05).tolist()


def test_languages_are_known_by_their_tags(ours) -> None:
    assert ours.knows("pt-BR")
    assert ours.knows("nb")
    assert not ours.knows("tlh")


@pytest.mark.parametrize(
    ("language", "scripts"),
    [
        ("de", ("LATIN",)),
        ("de-AT", ("LATIN",)),
        ("sr", ("CYRILLIC", "LATIN")),
        ("sr-Latn", ("LATIN",)),
        ("zh-Hant-TW", ("CJK", "BOPOMOFO")),
        ("tlh", None),
    ],
)
def test_scripts_follow_from_a_tag(language: str, scripts: tuple[str, ...] | None) -> None:
    assert scripts == scripts_of(language)
    assert set(scripts or ()) <= set(SCRIPTS)
