"""One recipe, many models: parameters in its texts, and changes from the command line."""

from pathlib import Path

import pytest

from tests.training.tiny import DATES, write_recipe
from training.config import RecipeError, load_recipe, to_toml
from training.preparation import Prepared, prepare

LANGUAGES = (
    DATES.replace('"tiny-dates"', '"tiny-{language}"').replace('"en"', '"{language}"')
    + '[parameters]\nlanguage = "de"\n[suite]\nparameter = "language"\nvalues = ["de", "fr"]\n'
)


def complaint(tmp_path: Path, text: str, *changes: str) -> str:
    with pytest.raises(RecipeError) as caught:
        load_recipe(write_recipe(tmp_path, text), changes)
    return str(caught.value)


def test_a_parameter_stands_in_every_text_that_names_it(tmp_path: Path) -> None:
    recipe, _ = load_recipe(write_recipe(tmp_path, LANGUAGES))

    assert ("tiny-de", "de") == (recipe.name, recipe.source_language)


def test_a_change_gives_a_parameter_another_value(tmp_path: Path) -> None:
    recipe, _ = load_recipe(write_recipe(tmp_path, LANGUAGES), ["parameters.language=fr"])

    assert ("tiny-fr", "fr") == (recipe.name, recipe.source_language)


@pytest.mark.parametrize(
    ("change", "section", "key", "value"),
    [
        ("optim.rate=2e-3", "optim", "rate", 2e-3),
        ("optim.betas = [0.5, 0.9]", "optim", "betas", (0.5, 0.9)),
        ("model.conditional=true", "model", "conditional", True),
        ("model.cell=lstm", "model", "cell", "lstm"),
        ('model.cell="lstm"', "model", "cell", "lstm"),
        ("export.shortlist=8", "export", "shortlist", 8),
    ],
)
def test_a_value_is_written_as_in_toml_or_is_plain_text(
    tmp_path: Path, change: str, section: str, key: str, value: object
) -> None:
    recipe, _ = load_recipe(write_recipe(tmp_path, DATES), [change])

    assert value == getattr(getattr(recipe, section), key)


def test_of_two_changes_of_one_key_the_later_holds(tmp_path: Path) -> None:
    recipe, _ = load_recipe(write_recipe(tmp_path, DATES), ["seed=5", "seed=6"])

    assert 6 == recipe.seed


def test_every_change_makes_another_digest(tmp_path: Path) -> None:
    path = write_recipe(tmp_path, DATES)
    digests = {load_recipe(path, changes)[1] for changes in ([], ["seed=3"], ["seed=4"])}

    assert 3 == len(digests)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("seed", "'seed' is not KEY=VALUE"),
        ("=3", "'=3' is not KEY=VALUE"),
        ("name.first=x", "'name' is no table"),
        ("optim.speed=3", "optim.speed: unknown key"),
        ("optim.rate=fast", "optim.rate: must be a number, not 'fast'"),
        ("data.licence={who}", "{who} is none of the parameters (language)"),
        ("suite.parameter=tongue", "suite.parameter: 'tongue' is none of the parameters"),
    ],
)
def test_a_change_that_means_nothing_is_refused(tmp_path: Path, change: str, said: str) -> None:
    assert said in complaint(tmp_path, LANGUAGES, change)


def test_braces_are_plain_text_in_a_recipe_without_parameters(tmp_path: Path) -> None:
    recipe, _ = load_recipe(write_recipe(tmp_path, DATES, ("Generated.", "By {me}.")))

    assert "By {me}." == recipe.data.attribution


def prepared(tmp_path: Path, *changes: str) -> Prepared:
    (tmp_path / "run").mkdir(exist_ok=True)
    return prepare(write_recipe(tmp_path, LANGUAGES), tmp_path, tmp_path / "run", changes=changes)


def test_a_run_keeps_the_recipe_that_the_changes_made(tmp_path: Path) -> None:
    made = prepared(tmp_path, "parameters.language=fr", 'data.attribution=Who? "Me\\"').recipe

    assert made == load_recipe(tmp_path / "run" / "recipe.toml")[0]


def test_a_run_of_an_unchanged_recipe_keeps_its_text(tmp_path: Path) -> None:
    prepared(tmp_path)

    assert LANGUAGES == (tmp_path / "run" / "recipe.toml").read_text()


def test_text_of_a_recipe_has_what_is_no_table_before_the_tables() -> None:
    plain = {"data": {"kind": "dates"}, "seed": 1, "name": "x"}

    assert 'seed = 1\nname = "x"\n\n[data]\nkind = "dates"\n' == to_toml(plain)
