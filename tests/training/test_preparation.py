"""What stands before the first step: corpus read, tokenizer fitted once, sentences in ids."""

from pathlib import Path

import pytest

from tests.training.tiny import DATES, SHOUTING, write_recipe
from training.config import RecipeError
from training.data.corpus import CorpusError
from training.preparation import Prepared, prepare


@pytest.fixture
def shouting(tmp_path: Path) -> Path:
    """A directory with a small corpus."""
    (tmp_path / "train.tsv").write_text("ab\tAB\nba\tBA\nbad line\nabc\tABC\n")
    (tmp_path / "dev.tsv").write_text("ab\tAB\nba\tBA\nab\tAB!\n")
    return tmp_path


def prepared(directory: Path, *changes: tuple[str, str], run: str = "run") -> Prepared:
    return prepare(write_recipe(directory, SHOUTING, *changes), directory, directory / run)


def test_sentences_become_ids_that_become_sentences_again(shouting: Path) -> None:
    found = prepared(shouting)
    pairs = [
        tuple(found.tokenizer.decode(side.tolist()[:-1]) for side in (e.source, e.target))
        for e in found.train
    ]

    assert [("ab", "AB"), ("ba", "BA"), ("abc", "ABC")] == pairs


def test_every_side_ends_in_eos(shouting: Path) -> None:
    found = prepared(shouting)
    ends = {int(side[-1]) for e in found.train for side in (e.source, e.target)}

    assert {found.special.eos} == ends
    assert found.special.eos == found.source_ids("ab")[-1]


def test_development_sentences_are_grouped_with_their_references(shouting: Path) -> None:
    found = prepared(shouting)

    assert [("ab", ("AB", "AB!")), ("ba", ("BA",))] == [tuple(entry) for entry in found.dev]


def test_what_was_dropped_is_told(shouting: Path) -> None:
    found = prepared(shouting, ("max_tokens = 20", "max_tokens = 3"))

    assert {"fewer than 2 columns": 1, "longer than 3 tokens": 1} == dict(found.drops.counts)


def test_a_corpus_of_which_no_pair_is_short_enough_cannot_be_used(shouting: Path) -> None:
    with pytest.raises(CorpusError, match=r"(?s)not one usable pair.*longer than 2 tokens"):
        prepared(shouting, ("max_tokens = 20", "max_tokens = 2"))


def test_the_tokenizer_is_fitted_once_for_a_recipe(
    shouting: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = prepared(shouting)
    monkeypatch.setattr("training.preparation.fit_tokenizer", None)
    again = prepared(shouting)

    assert first.tokenizer_file == again.tokenizer_file
    assert first.tokenizer_spec == again.tokenizer_spec


def test_another_recipe_fits_its_own_tokenizer(shouting: Path) -> None:
    first = prepared(shouting)
    (shouting / "train.tsv").write_text("xyz\tXYZ\n")
    other = prepared(shouting, ("seed = 4", "seed = 5"))

    assert first.tokenizer_file != other.tokenizer_file


def test_the_same_recipe_prepares_the_same(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, DATES)
    one, two = (prepare(recipe, tmp_path, tmp_path / run) for run in ("one", "two"))

    assert one.tokenizer_file == two.tokenizer_file
    assert [(e.source.tolist(), e.target.tolist()) for e in one.train] == [
        (e.source.tolist(), e.target.tolist()) for e in two.train
    ]


def test_another_seed_changes_neither_corpus_nor_tokenizer(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, DATES)
    one, two = (prepare(recipe, tmp_path, tmp_path / f"{s}", seed=s) for s in (None, 8))

    assert (3, 8) == (one.recipe.seed, two.recipe.seed)
    assert one.tokenizer_file == two.tokenizer_file
    assert [e.source.tolist() for e in one.train] == [e.source.tolist() for e in two.train]
    assert one.recipe_sha256 != two.recipe_sha256


def test_a_run_keeps_its_recipe(tmp_path: Path) -> None:
    prepare(write_recipe(tmp_path, DATES), tmp_path, tmp_path / "run", seed=8)
    kept = (tmp_path / "run" / "recipe.toml").read_text()

    assert kept.startswith(DATES)
    assert "--seed 8" in kept


def test_a_recipe_that_cannot_be_used_stops_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(RecipeError):
        prepare(write_recipe(tmp_path, "name = 3"), tmp_path, tmp_path / "run")

    assert not (tmp_path / "run").exists()


@pytest.fixture
def begun(shouting: Path) -> Path:
    """A run to start from."""
    prepared(shouting, run="begun")
    return shouting


START = ("epochs = 5", 'epochs = 5\nstart_from = "begun"')


def test_a_run_that_starts_from_another_has_its_tokenizer(begun: Path) -> None:
    (begun / "train.tsv").write_text("xyz\tXYZ\n")  # of which no table of its own could say "ab"
    found = prepared(begun, START)

    assert "ab" == found.tokenizer.decode(found.tokenizer.encode("ab"))
    assert begun / "begun" == found.start


def test_a_run_cannot_start_from_nothing(shouting: Path) -> None:
    with pytest.raises(RecipeError, match=r"training.start_from: .*begun is no run to begin from"):
        prepared(shouting, START)


def test_a_run_cannot_start_from_one_of_another_kind_of_tokenizer(begun: Path) -> None:
    other = ('kind = "characters"', 'kind = "sentencepiece"\nvocabulary_size = 300')

    with pytest.raises(RecipeError, match=r"start_from: .*begun has another tokenizer"):
        prepared(begun, START, other)
