"""Recipes are strict: what is wrong is said at once, all of it, before anything runs."""

from pathlib import Path

import pytest

from service.bundle.schema import SchemaError, dump, parse
from tests.training.tiny import DATES, write_recipe
from training.config import ModelConfig, Recipe, RecipeError, load_recipe

RECIPES = sorted(
    (Path(__file__).resolve().parents[2] / "training" / "recipes").rglob("*.toml"),
)

MINIMAL = """
name = "m"
source_language = "de"
target_language = "en"
[data]
kind = "dates"
train_pairs = 1
dev_pairs = 1
[training]
epochs = 1
"""


def complaint(tmp_path: Path, text: str) -> str:
    with pytest.raises(RecipeError) as caught:
        load_recipe(write_recipe(tmp_path, text))
    return str(caught.value)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_of_the_project_loads(path: Path) -> None:
    """A model is called as its recipe; a second recipe for the same model says more."""
    recipe, _ = load_recipe(path)
    name = "-".join([path.stem, *recipe.parameters.values()])

    assert name == recipe.name or name.startswith(f"{recipe.name}-")


def test_what_a_recipe_leaves_out_has_a_default(tmp_path: Path) -> None:
    recipe, _ = load_recipe(write_recipe(tmp_path, MINIMAL))

    assert ModelConfig() == recipe.model


def test_a_recipe_survives_being_written_and_read(tmp_path: Path) -> None:
    recipe, _ = load_recipe(write_recipe(tmp_path, DATES))

    assert recipe == parse(Recipe, dump(recipe))


@pytest.mark.parametrize("kind", ["characters", "symbols"])
def test_characters_cannot_be_cut_at_random(tmp_path: Path, kind: str) -> None:
    text = MINIMAL + f'[tokenizer]\nkind = "{kind}"\n[subwords]\nsource = 1.0\n'

    assert "a character can be cut in one way only" in complaint(tmp_path, text)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("source = 1.5", "source must be in [0, 1], not 1.5"),
        ("alpha = 0.0", "alpha must be above 0, not 0.0"),
        ("dropout = 1.0", "dropout must be in (0, 1), not 1.0"),
    ],
)
def test_subword_regularisation_has_bounds(tmp_path: Path, line: str, said: str) -> None:
    assert f"subwords: {said}" in complaint(tmp_path, MINIMAL + f"[subwords]\n{line}\n")


def test_the_digest_changes_with_any_letter(tmp_path: Path) -> None:
    _, before = load_recipe(write_recipe(tmp_path, DATES))
    _, after = load_recipe(write_recipe(tmp_path, DATES + "# a remark\n"))

    assert before != after


def test_everything_wrong_is_reported_together_by_dotted_path(tmp_path: Path) -> None:
    said = complaint(
        tmp_path,
        """
        name = 3
        source_language = "de"
        colour = "red"
        [data]
        kind = "cvs"
        [model]
        layers = 2
        dropout = "much"
        [training]
        """,
    )

    for wrong in (
        "name: must be text, not 3",
        "target_language: missing",
        "colour: unknown key",
        "data.kind: must be one of",
        "model.layers: unknown key",
        "model.dropout: must be a number, not 'much'",
        "training.epochs: missing",
    ):
        assert wrong in said
    assert "7 problem(s)" in said


@pytest.mark.parametrize(
    ("section", "line", "wanted"),
    [
        ("data", 'kind = "tsv"', "data: train and dev must name files"),
        ("data", 'kind = "parallel"\ntrain = "a"\ndev = "b"', "data: train_target and dev_target"),
        ("data", 'kind = "dates"', "data: train_pairs and dev_pairs must be at least 1"),
        (
            "data",
            'kind = "copy"\ntrain_pairs = 1\ndev_pairs = 1\nmin_symbols = 13',
            "data: min_symbols must be between 2 and max_symbols (12), not 13",
        ),
        ("data", 'kind = "tsv"\nsource_column = 1', "data: source_column and target_column"),
        ("data", 'kind = "tsv"\nsource_column = -1', "data: source_column and target_column"),
        ("data", 'kind = "tsv"\nmax_tokens = 1', "data: max_tokens must be at least 2, not 1"),
        ("tokenizer", 'normalisation = "nfd"', "tokenizer: normalisation is for characters and"),
        ("tokenizer", "vocabulary_size = 256", "tokenizer: vocabulary_size must be at least 300"),
        ("model", "embedding = 0", "model: embedding must be at least 1, not 0"),
        ("model", "encoder_layers = 0", "model: encoder_layers must be at least 1"),
        ("model", "dropout = 1.0", "model: dropout must be in [0, 1), not 1.0"),
        ("model", "word_dropout = -0.1", "model: word_dropout must be in [0, 1)"),
        (
            "model",
            'attention = "dot"\nencoder_hidden = 10\ndecoder_hidden = 10',
            "model: attention 'dot' needs decoder_hidden equal to the memory's width 20, not 10",
        ),
        (
            "model",
            'attention = "multihead"\nattention_width = 10',
            "model: attention 'multihead' needs attention_width to be a multiple of heads (4), not",
        ),
        ("model", "cell_norm = 1", "model.cell_norm: must be true or false, not 1"),
        ("model", "decoder_transitions = 0", "model: decoder_transitions must be at least 1"),
        (
            "model",
            'conditional = true\nattention = "none"',
            "model: conditional: there is nothing to recur behind without attention",
        ),
        (
            "model",
            'decoder = "next-symbol"',
            "model: encoder 'shared' and decoder 'next-symbol' are one network, not 'recurrent'",
        ),
        ("batches", "target_tokens = 0", "batches: target_tokens and max_sentences"),
        ("optim", "rate = 0", "optim: rate must be above 0"),
        ("optim", "rate = nan", "optim: rate must be above 0"),
        ("optim", "final_rate = 1.0", "optim: final_rate must be between 0 and rate"),
        ("optim", "betas = [0.9]", "optim: betas must be two numbers in [0, 1)"),
        ("optim", "betas = [0.9, 1.0]", "optim: betas must be two numbers in [0, 1)"),
        ("optim", "ema_decay = 1.0", "optim: ema_decay must be in [0, 1)"),
        ("optim", "label_smoothing = 1", "optim: label_smoothing must be in [0, 1)"),
        ("training", "epochs = 0", "training: epochs must be at least 1"),
        ("training", "epochs = 1\npatience = 0", "training: patience must be at least 1"),
        (
            "training",
            "epochs = 1\ncurriculum_epochs = -1",
            "training: curriculum_epochs must be at least 0, not -1",
        ),
        ("optim", "clip_norm = 0", "optim: clip_norm must be above 0"),
        ("evaluation", "beam = 0", "evaluation: beam: must be between 1 and 32, not 0"),
        ("evaluation", 'metric = "wer"\nminimum = 9', "evaluation: minimum: of wer, lower is"),
        ("evaluation", "maximum = 9", "evaluation: maximum: of bleu, higher is better; set min"),
        ("evaluation", "beam = 33", "evaluation: beam: must be between 1 and 32, not 33"),
        ("evaluation", "max_length_ratio = -1", "evaluation: max_length_ratio"),
        ("evaluation", "length_penalty = nan", "evaluation: length_penalty"),
        ("export", "goldens = 0", "export: goldens must be at least 1, not 0"),
        ("export", "calibration_sentences = 0", "export: calibration_sentences must be at least 1"),
    ],
)
def test_a_value_out_of_range_is_named_with_its_limit(
    tmp_path: Path, section: str, line: str, wanted: str
) -> None:
    head, *rest = MINIMAL.split("\n[")
    kept = [f"[{part}" for part in rest if not part.startswith(f"{section}]")]

    assert wanted in complaint(tmp_path, "\n".join([head, *kept, f"[{section}]", line]))


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ('name = "m"', 'name = "my model"', "name: 'my model' cannot name a model"),
        ('name = "m"', 'name = "../m"', "name: '../m' cannot name a model"),
        ('"de"', '"German!"', "source_language: 'German!' is no BCP-47 language tag"),
        ('name = "m"', 'name = "m"\nseed = -1', "seed: must be in 0.."),
    ],
)
def test_what_the_bundle_would_refuse_is_refused_before_training(
    tmp_path: Path, old: str, new: str, wanted: str
) -> None:
    assert wanted in complaint(tmp_path, MINIMAL.replace(old, new))


def test_a_width_that_fits_dot_attention_depends_on_the_directions() -> None:
    both = ModelConfig(attention="dot", encoder_hidden=10, decoder_hidden=20)
    one = ModelConfig(attention="dot", encoder_hidden=20, decoder_hidden=20, bidirectional=False)

    assert [] == [*both.validate(), *one.validate()]


def test_true_is_not_the_number_one() -> None:
    with pytest.raises(SchemaError, match="encoder_layers: must be an integer, not True"):
        parse(ModelConfig, {"encoder_layers": True})


def test_text_that_is_no_toml_is_said_to_be_none(tmp_path: Path) -> None:
    assert "not a TOML file" in complaint(tmp_path, "name = ")


def test_bytes_that_are_no_text_are_said_to_be_none(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_bytes(b'name = "\xff"')

    with pytest.raises(RecipeError, match="not a TOML file"):
        load_recipe(path)


def test_a_recipe_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"none\.toml: No such file"):
        load_recipe(tmp_path / "none.toml")
