"""One recipe, several models: each is trained once, and all are told in one table."""

import json
from pathlib import Path

import pytest

from tests.training.tiny import DATES, write_recipe
from training import stages
from training.config import RecipeError
from training.preparation import Prepared
from training.suite import Scores, Suite, run_suite, table
from training.trainer import Interrupted, Progress

MANY = (
    DATES.replace('"tiny-dates"', '"tiny-{size}"')
    .replace("train_pairs = 600", "train_pairs = 60")
    .replace('source_language = "en"', 'source_language = "{size}"')
    .replace('"exact_match"', '"wer"')
    + '[parameters]\nsize = "de"\n[suite]\nparameter = "size"\nvalues = ["de", "fr"]\n'
)


def suite(directory: Path, *seeds: int, text: str = MANY, only: tuple[str, ...] = ()) -> Suite:
    return Suite(
        recipe=write_recipe(directory, text),
        data_dir=directory,
        run_dir=directory / "runs",
        seeds=seeds,
        only=only,
    )


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Scores]:
    directory = tmp_path_factory.mktemp("suite")
    return directory, run_suite(suite(directory, 1, 2), lambda line: None)


def test_every_value_is_scored_with_every_seed_and_with_all_together(
    done: tuple[Path, Scores],
) -> None:
    assert {"de": ["1", "2", "together"], "fr": ["1", "2", "together"]} == {
        value: list(row) for value, row in done[1].items()
    }


def test_each_run_has_the_recipe_with_its_own_value(done: tuple[Path, Scores]) -> None:
    text = (done[0] / "runs" / "fr-seed2" / "recipe.toml").read_text()

    assert 'name = "tiny-fr"' in text
    assert 'source_language = "fr"' in text


def test_the_table_lies_beside_the_runs(done: tuple[Path, Scores]) -> None:
    assert list(table(done[1])) == (done[0] / "runs" / "table.md").read_text().splitlines()


def test_what_has_ended_is_not_trained_again(
    done: tuple[Path, Scores], monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(prepared: Prepared, budget_minutes: float | None) -> Progress:
        raise AssertionError(prepared.run_dir)

    monkeypatch.setattr(stages, "train", train)

    assert done[1] == run_suite(suite(done[0], 1, 2), lambda line: None)


def test_another_recipe_is_not_taken_for_what_has_ended(done: tuple[Path, Scores]) -> None:
    note = done[0] / "runs" / "de-seed1" / "ended.json"
    before = json.loads(note.read_text())
    other = MANY.replace("warmup_steps = 10", "warmup_steps = 11")

    with pytest.raises(Exception, match="made by another recipe"):
        run_suite(suite(done[0], 1, text=other), lambda line: None)
    assert before == json.loads(note.read_text())


def test_a_suite_that_was_stopped_keeps_what_had_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = stages.train

    def stopped(prepared: Prepared, budget_minutes: float | None) -> Progress:
        if prepared.recipe.name == "tiny-fr":
            raise Interrupted("stopped")
        return whole(prepared, budget_minutes)

    monkeypatch.setattr(stages, "train", stopped)
    with pytest.raises(Interrupted):
        run_suite(suite(tmp_path, 1), lambda line: None)

    assert ["de-seed1"] == [path.parent.name for path in tmp_path.rglob("ended.json")]
    assert "| de |" in (tmp_path / "runs" / "table.md").read_text()


def test_some_of_the_values_may_be_asked_for(tmp_path: Path) -> None:
    assert ["fr"] == list(run_suite(suite(tmp_path, 1, only=("fr",)), lambda line: None))


@pytest.mark.parametrize(
    ("text", "only", "said"),
    [(DATES, (), "no \\[suite\\]"), (MANY, ("fr", "xx"), "de, fr; not xx")],
)
def test_what_the_recipe_does_not_know_is_refused(
    tmp_path: Path, text: str, only: tuple[str, ...], said: str
) -> None:
    with pytest.raises(RecipeError, match=said):
        run_suite(suite(tmp_path, 1, text=text, only=only), lambda line: None)


def test_a_table_has_the_mean_of_what_is_known_so_far() -> None:
    assert [
        "| | seed 1 |",
        "|---|---|",
        "| kor | 16.00 |",
        "| ice | 10.00 |",
        "| hin |  |",
        "| macro | 13.00 |",
    ] == list(table({"kor": {"1": 16.0}, "ice": {"1": 10.0}, "hin": {}}))


def test_a_table_of_several_seeds_has_their_mean_and_spread() -> None:
    """The spread of 16 and 18 is 1.41, n - 1 = 1 below the root."""
    scores = {"kor": {"1": 16.0, "2": 18.0, "together": 15.0}, "ice": {"1": 10.0}, "hin": {}}

    assert [
        "| | seed 1 | seed 2 | mean ± spread | together |",
        "|---|---|---|---|---|",
        "| kor | 16.00 | 18.00 | 17.00 ± 1.41 | 15.00 |",
        "| ice | 10.00 |  |  |  |",
        "| hin |  |  |  |  |",
        "| macro | 13.00 | 18.00 |  | 15.00 |",
    ] == list(table(scores))


def test_the_macro_has_a_spread_over_the_seeds_that_scored_everything() -> None:
    scores = {"kor": {"1": 16.0, "2": 18.0, "3": 20.0}, "ice": {"1": 10.0, "2": 10.0}}

    assert "| macro | 13.00 | 14.00 | 20.00 | 13.50 ± 0.71 |  |" == list(table(scores))[-1]
