"""Every rule drops what it names, says so, and leaves alone what is only near to it."""

from pathlib import Path
from typing import Any

import pytest

from tests.training.cleaning.corpora import Pairs, cleaned, read_part
from training.data.cleaning.rules import RULES, RuleError, choose_limits

GOOD = [
    ("Das Haus ist groß.", "The house is big."),
    ("Ja.", "Yes, I do."),
    ("Es ist 10:30 Uhr.", "It's 10:30."),
    ("Nein, nein, nein, nein!", "No, no, no, no!"),
    ("Was?! Wirklich...", "What?! Really..."),
    ("3 < 4 & 5 > 4 – klar.", "3 < 4 & 5 > 4, sure."),
    ("Es kostet 1.000.000.000 €.", "It costs €1,000,000,000."),
    ("Sein Freund heißt mit Vornamen Αλέξης, sagt Tom.", "His friend is called Αλέξης, says Tom."),
    ("Auf Französisch sagt man „à bientôt“.", "In French they say “à bientôt”."),
    ("Sie sagte NÃO zu São Paulo.", "She said NÃO to São Paulo."),
]
LANGUAGES = {"source_language": "de", "target_language": "en"}


def dropped(tmp_path: Path, *pairs: tuple[str, str], **plan: Any) -> dict[str, int]:
    """What is dropped of these, among good pairs."""
    report = cleaned(tmp_path, [*GOOD, *pairs], plan={**LANGUAGES, **plan})
    return dict(report.dropped)


def test_good_pairs_stay_as_they_are(tmp_path: Path) -> None:
    assert {} == dropped(tmp_path)
    assert read_part(tmp_path / "out", "train") == GOOD


@pytest.mark.parametrize(
    ("rule", "pair"),
    [
        ("empty", ("", "Hello.")),
        ("empty", ("Hallo.", " \u200b ")),
        ("garbled", ("Gr\ufffd\ufffde", "Greetings")),
        ("garbled", ("Die Universität, im FrÃ¼hling", "The university in spring")),
        ("markup", ("<p>Das ist gut.</p>", "This is good.")),
        ("markup", ("Das ist &lt;b&gt;gut&lt;/b&gt;.", "This is good.")),
        ("characters", ("a b c d " * 150, "a b c e " * 150)),
        ("words", ("a b " * 110, "The b " * 110)),
        ("letters", ("+49 (0) 30 / 123 456 - 789", "Call +49 (0) 30 / 123 456 - 789")),
        ("script", ("Это дом, und das ist gut", "This is a house")),
        ("character-run", ("Neeeeeeeeeein, sagte er.", "No, he said.")),
        ("word-run", ("Nein, nein, nein, nein, nein, nein!", "No, I say!")),
        ("copy", ("Berlin is the capital.", "berlin is the capital")),
        ("language", ("Le musée est fermé le lundi.", "The museum is closed on Mondays.")),
        ("language", ("Das Museum ist montags zu.", "Das Museum hat montags geschlossen.")),
        ("duplicate", GOOD[0]),
        ("near-duplicate", ("das Haus ist groß!", "The house is big")),
        ("length-ratio", ("Gut so.", "That is what I wanted to say all along, my dear friend.")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_pair_is_dropped_by_the_rule_it_breaks(
    tmp_path: Path, rule: str, pair: tuple[str, str]
) -> None:
    assert {rule: 1} == dropped(tmp_path, pair)


def test_numbers_are_compared_only_when_asked_for(tmp_path: Path) -> None:
    wrong = ("Er ist 25 Jahre alt.", "He is 26 years old.")

    assert {} == dropped(tmp_path, wrong)
    limits = choose_limits(with_=("numbers",))
    assert {"numbers": 1} == dropped(tmp_path, wrong, limits=limits)


@pytest.mark.parametrize("name", [name for name, rule in RULES.items() if not rule.always])
def test_a_rule_that_is_left_out_drops_nothing(tmp_path: Path, name: str) -> None:
    pairs: Pairs = [("<b>Neeeeeeeeeein</b>", "Gr\ufffd"), ("1 2", "1 2"), *GOOD]
    found = dropped(tmp_path, *pairs, limits=choose_limits(without=(name,)))

    assert name not in found


def test_a_limit_can_be_changed(tmp_path: Path) -> None:
    limits = choose_limits(changed={"characters": 10}, without=("length-ratio",))

    assert {"characters": len(GOOD) - 1} == dropped(tmp_path, limits=limits)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"without": ("nonsense",)}, "no rule 'nonsense'; there are: utf-8, columns"),
        ({"without": ("empty",)}, "'empty' always applies"),
        ({"changed": {"copy": 1.0}}, "'copy' has no limit"),
        ({"changed": {"letters": 1.5}}, "'letters' must be from 0 to 1, not 1.5"),
        ({"changed": {"length-ratio": 0.5}}, "must be from 1 to 1e"),
    ],
)
def test_a_choice_that_makes_no_sense_is_refused(choice: dict[str, Any], message: str) -> None:
    with pytest.raises(RuleError, match=message):
        choose_limits(**choice)


def test_of_near_duplicates_the_most_frequent_writing_stays(tmp_path: Path) -> None:
    often, once = ("Hallo, Tom!", "Hello, Tom!"), ("hallo tom", "Hello Tom")
    cleaned(tmp_path, [once, often, often])

    assert [often] == read_part(tmp_path / "out", "train")


def test_several_translations_of_a_sentence_all_stay(tmp_path: Path) -> None:
    pairs = [("Hallo.", "Hello."), ("Hallo.", "Hi."), ("Guten Tag.", "Hello.")]
    cleaned(tmp_path, pairs)

    assert pairs == read_part(tmp_path / "out", "train")


def test_the_usual_ratio_is_the_corpus_own(tmp_path: Path) -> None:
    """Four times as long is what is usual here; as long as the source is what stands out."""
    usual = [(f"ab{i:02}" * 5, f"ab{i:02}" * 20) for i in range(50)]
    odd = ("xyz" * 30, "zyx" * 30)
    report = cleaned(tmp_path, [*usual, odd])

    assert {"length-ratio": 1} == dict(report.dropped)
    assert report.usual_ratio == 4.0


def test_without_languages_the_report_says_that_nobody_looked(tmp_path: Path) -> None:
    report = cleaned(tmp_path, GOOD)

    assert ["--source-language", "--target-language"] == [n.split()[-1] for n in report.notes]


def test_a_language_that_nobody_knows_is_said_and_not_judged(tmp_path: Path) -> None:
    report = cleaned(tmp_path, GOOD[:2], plan={**LANGUAGES, "source_language": "tlh"})

    assert {} == dict(report.dropped)
    assert any("script of 'tlh'" in note for note in report.notes)
    assert any("'tlh' is a language that cannot be identified" in note for note in report.notes)
