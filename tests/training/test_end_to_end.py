"""The whole road on a very small corpus of dates: recipe to running bundle, and again."""

import json
from pathlib import Path

import pytest

from service.bundle import open_bundle
from service.decoding import Engine
from service.decoding.session import OnnxStepper
from service.translation import TranslateOptions, Translator
from tests.training.tiny import DATES, write_recipe
from training import stages
from training.checkpoint import CheckpointError
from training.preparation import Prepared, prepare


def prepared(directory: Path, *changes: tuple[str, str]) -> Prepared:
    return prepare(write_recipe(directory, DATES, *changes), directory, directory / "run")


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which a recipe was run to its end, and then exported a second time."""
    directory = tmp_path_factory.mktemp("dates")
    stages.train(prepared(directory), None)
    for _ in range(2):  # each stage finds what the one before it left, as a process of its own does
        stages.export(prepared(directory), directory / "exported", lambda line: None)
    return directory


def ask(directory: Path, *texts: str, root: str = "exported") -> list[str]:
    """What a server of the first version would answer."""
    bundle = open_bundle(directory / root / "tiny-dates" / "1")
    translator = Translator(bundle, Engine(OnnxStepper.from_bundle(bundle, threads=1)))
    translations = translator.translate_now(list(texts), TranslateOptions())
    return [translation.hypotheses[0].text for translation in translations]


def test_a_recipe_becomes_a_model_that_answers(done: Path) -> None:
    [answer] = ask(done, "3 May 2021")

    assert answer
    assert set(answer) <= set("0123456789-")


def test_it_has_learnt_with_what_a_year_begins(done: Path) -> None:
    answers = ask(done, "3 May 2021", "1921/07/08", "4. Juni 2077")

    assert {"1", "2"} >= {answer[0] for answer in answers}


def test_the_second_export_is_the_second_version(done: Path) -> None:
    versions = [open_bundle(done / "exported" / "tiny-dates" / v).manifest.version for v in "12"]

    assert [1, 2] == versions


def test_both_exports_have_the_same_graphs(done: Path) -> None:
    one, two = (open_bundle(done / "exported" / "tiny-dates" / version) for version in "12")

    assert [one.read_graph(name) for name in ("encoder", "decoder")] == [
        two.read_graph(name) for name in ("encoder", "decoder")
    ]


def test_a_run_leaves_log_curves_tokenizer_and_checkpoints(done: Path) -> None:
    run = done / "run"

    assert {"log.jsonl", "tensorboard", "tokenizer", "checkpoints"} <= {
        entry.name for entry in run.iterdir()
    }
    assert {"last", "best"} == {entry.name for entry in (run / "checkpoints").iterdir()}


def test_nothing_that_a_run_writes_is_pickled(done: Path) -> None:
    suffixes = {file.suffix for file in (done / "run").rglob("*") if file.is_file()}
    events = {suffix for suffix in suffixes if suffix[1:].isdigit()}  # TensorBoard's own

    assert {".json", ".jsonl", ".safetensors", ".toml"} == suffixes - events


def test_the_score_in_the_log_is_the_score_of_the_evaluation_stage(done: Path) -> None:
    lines = [json.loads(line) for line in (done / "run" / "log.jsonl").read_text().splitlines()]
    logged = max(line["exact_match"] for line in lines if line["event"] == "evaluation")

    assert logged == stages.evaluate(prepared(done)).value


def test_a_beam_is_evaluated_as_the_exported_graphs_answer(done: Path) -> None:
    """The manifest was measured with the same beam, in 8 bits; one of twenty dates is 5 points."""
    manifest = open_bundle(done / "exported" / "tiny-dates" / "1").manifest
    result = stages.evaluate(prepared(done), beam=2)

    assert result.signature == manifest.quality[0].signature
    assert result.value == pytest.approx(manifest.quality[0].value, abs=5.01)
    assert stages.evaluate(prepared(done)) == stages.evaluate(prepared(done), beam=1)


def test_several_runs_become_one_bundle(done: Path) -> None:
    """The second member is trained with another seed; corpus and tokenizer are the recipe's."""
    recipe = write_recipe(done, DATES)
    other = prepare(recipe, done, done / "other", seed=9)
    stages.train(other, None)
    members = [done / "run", done / "other" / "checkpoints" / "best"]
    exported = stages.export(prepared(done), done / "together", lambda line: None, members)

    assert "ensemble of 2" == exported.manifest.architecture["family"]
    assert exported.parity.greedy_decodes == exported.parity.greedy_identical
    assert ask(done, "3 May 2021", root="together")


def test_members_of_other_tokenizers_are_refused(done: Path) -> None:
    recipe = write_recipe(done, DATES, ("train_pairs = 600", "train_pairs = 10"))
    other = prepare(recipe, done, done / "narrow")
    stages.train(other, None)

    with pytest.raises(CheckpointError, match="tokenizer is not the recipe's"):
        stages.export(prepared(done), done / "together", lambda line: None, [done / "narrow"])


def test_a_directory_that_is_no_run_is_refused_as_a_member(done: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no recipe\.toml"):
        stages.export(prepared(done), done / "together", lambda line: None, [done.parent])


def test_a_run_can_start_from_the_best_weights_of_another(done: Path) -> None:
    """At a rate of nothing it ends with what it began with."""
    still = (
        ("rate = 1e-2", "rate = 1e-12\nfinal_rate = 0.0"),
        ("epochs = 1", 'epochs = 1\nstart_from = "run"'),
    )
    second = prepare(write_recipe(done, DATES, *still), done, done / "second")
    stages.train(second, None)
    first = stages.evaluate(prepared(done))

    assert first == stages.evaluate(second)


def test_a_run_that_started_from_another_goes_on_without_it(done: Path) -> None:
    change = ("epochs = 1", f'epochs = 1\nstart_from = "{done / "run"}"')
    recipe = write_recipe(done, DATES, change)
    stages.train(prepare(recipe, done, done / "third"), None)
    (done / "run").rename(done / "moved")
    try:
        stages.train(prepare(recipe, done, done / "third"), None)
    finally:
        (done / "moved").rename(done / "run")


def test_weights_of_another_shape_cannot_be_started_from(done: Path) -> None:
    changes = (
        ("embedding = 16", "embedding = 24"),
        ("epochs = 1", 'epochs = 1\nstart_from = "run"'),
    )
    fourth = prepare(write_recipe(done, DATES, *changes), done, done / "fourth")

    with pytest.raises(CheckpointError, match=r"best: .*model\.embedding is 16 there, 24 here$"):
        stages.train(fourth, None)


def test_there_is_nothing_to_export_before_training(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no usable weights"):
        stages.export(prepared(tmp_path), tmp_path / "exported", lambda line: None)

    assert not (tmp_path / "exported").exists()


# Learnt from eight of eight seeds.
SPELT = (
    DATES.replace('kind = "dates"\ntrain_pairs = 600\ndev_pairs = 20', 'kind = "tsv"')
    .replace("max_tokens = 40", 'max_tokens = 40\ntrain = "words.tsv"\ndev = "words.tsv"')
    .replace('kind = "characters"', 'kind = "symbols"\nnormalisation = "nfd"')
    .replace("target_tokens = 1000", "target_tokens = 60")
    .replace("decoder_layers = 1", "decoder_layers = 1\ndropout = 0.0\noutput_dropout = 0.0")
    .replace("epochs = 1", "epochs = 6")
    .replace("warmup_steps = 10", "warmup_steps = 10\nema_decay = 0.9")
    .replace('"exact_match"', '"wer"\nmaximum = 25')
)


def test_words_become_symbols_with_spaces_between_them(tmp_path: Path) -> None:
    """A letter and its accent are read one by one, and said as one."""
    words = ["áb", "ba", "aá", "bb"]
    lines = [f"{word}\t{' '.join(f'{letter}ː' for letter in word)}\n" for word in words]
    (tmp_path / "words.tsv").write_text("".join(lines * 250), encoding="utf-8")
    ready = prepare(write_recipe(tmp_path, SPELT), tmp_path, tmp_path / "run")
    stages.train(ready, None)
    stages.export(ready, tmp_path / "exported", lambda line: None)

    assert ["áː bː", "bː aː"] == ask(tmp_path, "áb", "ba")
