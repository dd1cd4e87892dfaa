"""Scores are sacreBLEU's own, whatever the number of references."""

from typing import Any

import pytest
from sacrebleu.metrics import BLEU, CHRF

from training.evaluate import score

OUTPUTS = [
    "The cat sat on the mat.",
    "I have no idea what you mean.",
    "Where is the station?",
    "He went home early today.",
]
REFERENCES = [
    ("The cat sat on the mat.", "A cat was sitting on the mat."),
    ("I have no idea what you are talking about.",),
    ("Where is the train station?", "Where's the station?", "Where is the station?"),
    ("He went home early.", "Today he went home early."),
]
# By hand: the n-th reference of each sentence; None where there is none.
STREAMS: Any = [
    [REFERENCES[0][0], REFERENCES[1][0], REFERENCES[2][0], REFERENCES[3][0]],
    [REFERENCES[0][1], None, REFERENCES[2][1], REFERENCES[3][1]],
    [None, None, REFERENCES[2][2], None],
]


def test_bleu_is_sacrebleus_with_all_references() -> None:
    bleu = BLEU()
    wanted = bleu.corpus_score(OUTPUTS, STREAMS)

    assert (wanted.score, str(bleu.get_signature())) == (
        score("bleu", OUTPUTS, REFERENCES).value,
        score("bleu", OUTPUTS, REFERENCES).signature,
    )


def test_chrf_is_sacrebleus_with_all_references() -> None:
    wanted = CHRF().corpus_score(OUTPUTS, STREAMS).score

    assert wanted == score("chrf", OUTPUTS, REFERENCES).value


def test_a_further_reference_never_hurts_a_bleu_that_needs_it() -> None:
    fewer = [references[:1] for references in REFERENCES]

    assert score("bleu", OUTPUTS, fewer).value < score("bleu", OUTPUTS, REFERENCES).value


def test_bleu_is_cased_and_says_so() -> None:
    shouted = [output.upper() for output in OUTPUTS]
    result = score("bleu", shouted, REFERENCES)

    assert result.value < 10
    assert "case:mixed" in result.signature


@pytest.mark.parametrize("metric", ["bleu", "chrf", "exact_match"])
def test_the_reference_itself_scores_100(metric: str) -> None:
    first = [references[0] for references in REFERENCES]

    assert 100.0 == pytest.approx(score(metric, first, REFERENCES).value)  # type: ignore[arg-type]  # a value of the parameter


@pytest.mark.parametrize("metric", ["bleu", "chrf", "exact_match"])
def test_silence_scores_0(metric: str) -> None:
    assert 0.0 == score(metric, [""] * 4, REFERENCES).value  # type: ignore[arg-type]  # a value of the parameter


def test_exact_match_counts_outputs_equal_to_any_reference() -> None:
    result = score("exact_match", OUTPUTS, REFERENCES)

    assert 50.0 == result.value


def test_exact_match_forgives_nothing() -> None:
    assert 0.0 == score("exact_match", ["yes ", "Yes", "yes."], [("yes",)] * 3).value


def test_the_word_error_rate_is_what_no_reference_matches() -> None:
    result = score("wer", ["a b", "c d", "e", "f "], [("a b",), ("x", "c d"), ("e f",), ("f",)])

    assert (50.0, "wer|n:4") == (result.value, result.signature)


def test_bleu_of_tokenised_text_leaves_its_tokens_alone_and_says_so() -> None:
    outputs, references = ["one (two) three four five ."], [("one ( two ) three four five .",)]
    usual = score("bleu", outputs, references)
    as_it_is = score("bleu", outputs, references, tokenize="none")
    wanted = BLEU(tokenize="none").corpus_score(outputs, [[references[0][0]]]).score

    assert wanted == as_it_is.value
    assert as_it_is.value < usual.value == pytest.approx(100.0)
    assert "tok:none" in as_it_is.signature
