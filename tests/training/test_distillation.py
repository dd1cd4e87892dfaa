"""A teacher's translations become a corpus that a recipe reads."""

import dataclasses
from pathlib import Path

import pytest

from service.bundle import open_bundle
from service.decoding import Engine
from service.decoding.session import OnnxStepper
from service.translation import TranslateOptions, Translator
from tests.training.tiny import Trained
from training import distillation
from training.config import DataConfig, Recipe
from training.data.corpus import CorpusError, Pair, read_corpus
from training.distillation import Distillation, distill
from training.export import export_bundle

PAIRS = [Pair("fade", "x"), Pair("bead", "BEAD"), Pair("fade", "FADE!"), Pair("cab", "CAB")]


@pytest.fixture(scope="module")
def teacher(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """It writes words in capitals."""
    root = tmp_path_factory.mktemp("teachers")
    say = list[str]().append
    return export_bundle(trained.prepared, trained.model, 0.1, root, threads=1, say=say).path


def wanted(teacher: Path, out: Path, **options: object) -> Distillation:
    return dataclasses.replace(Distillation(teacher=teacher, out=out), **options)  # type: ignore[arg-type]  # a value of the parameter


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


@pytest.fixture
def recipe(trained: Trained) -> Recipe:
    return trained.prepared.recipe


def test_each_source_comes_once_with_what_the_teacher_says(
    teacher: Path, recipe: Recipe, tmp_path: Path
) -> None:
    [path] = distill(wanted(teacher, tmp_path / "d.tsv"), recipe, PAIRS, print)

    assert ["fade\tFADE", "bead\tBEAD", "cab\tCAB"] == lines(path)
    assert [path] == list(tmp_path.iterdir())


def test_the_original_pairs_may_come_after(teacher: Path, recipe: Recipe, tmp_path: Path) -> None:
    [path] = distill(wanted(teacher, tmp_path / "d.tsv", mixed=True), recipe, PAIRS, print)

    assert [f"{source}\t{target}" for source, target in PAIRS] == lines(path)[3:]


def test_the_columns_are_those_of_the_recipe(teacher: Path, recipe: Recipe, tmp_path: Path) -> None:
    data = dataclasses.replace(
        recipe.data, source_column=2, target_column=0, train="d.tsv", dev="d.tsv"
    )
    recipe = dataclasses.replace(recipe, data=data)
    distill(wanted(teacher, tmp_path / "d.tsv"), recipe, PAIRS, print)

    assert Pair("bead", "BEAD") in read_corpus(data, tmp_path, 1).train


def test_parallel_text_becomes_two_files(teacher: Path, recipe: Recipe, tmp_path: Path) -> None:
    data = DataConfig(kind="parallel", train="a", train_target="b", dev="a", dev_target="b")
    recipe = dataclasses.replace(recipe, data=data, source_language="de", target_language="en")
    made = distill(wanted(teacher, tmp_path / "d"), recipe, PAIRS, print)

    assert ["d.de", "d.en"] == [path.name for path in made]
    assert [["fade", "bead", "cab"], ["FADE", "BEAD", "CAB"]] == [lines(path) for path in made]


def test_a_name_that_ends_in_gz_is_written_as_gzip(
    teacher: Path, recipe: Recipe, tmp_path: Path
) -> None:
    """As the recipe that reads it takes it to be."""
    data = dataclasses.replace(recipe.data, kind="tsv", train="d.tsv.gz", dev="d.tsv.gz")
    recipe = dataclasses.replace(recipe, data=data)
    distill(wanted(teacher, tmp_path / "d.tsv.gz"), recipe, PAIRS, print)

    assert Pair("bead", "BEAD") in read_corpus(data, tmp_path, 1).train


def test_so_are_the_two_files_of_parallel_text(
    teacher: Path, recipe: Recipe, tmp_path: Path
) -> None:
    data = DataConfig(
        kind="parallel",
        train="d.de.gz",
        train_target="d.en.gz",
        dev="d.de.gz",
        dev_target="d.en.gz",
    )
    recipe = dataclasses.replace(recipe, data=data, source_language="de", target_language="en")
    distill(wanted(teacher, tmp_path / "d.gz"), recipe, PAIRS, print)

    assert Pair("bead", "BEAD") in read_corpus(data, tmp_path, 1).train


def test_the_hypothesis_most_like_a_reference_may_be_taken(
    teacher: Path, recipe: Recipe, trained: Trained, tmp_path: Path
) -> None:
    """Of the beam, the second: the reference says so."""
    bundle = open_bundle(teacher)
    translator = Translator(bundle, Engine(OnnxStepper.from_bundle(bundle, threads=1)))
    options = TranslateOptions(beam=3, n_best=3, split_sentences=False)
    first, second, *_ = (h.text for h in translator.translate_now(["fade"], options)[0].hypotheses)
    [path] = distill(
        wanted(teacher, tmp_path / "d.tsv", beam=3, similar=True),
        recipe,
        [Pair("fade", second)],
        print,
    )

    assert first != second
    assert [f"fade\t{second}"] == lines(path)


def test_a_run_that_was_cut_short_goes_on(
    teacher: Path, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distillation, "_GROUP", 1)
    whole = distill(wanted(teacher, tmp_path / "whole.tsv"), recipe, PAIRS, print)
    cut = tmp_path / "cut.tsv"

    def killed(*_: object, **__: object) -> str:
        if (tmp_path / "cut.tsv.partial").read_bytes().count(b"\n") == 2:
            raise KeyboardInterrupt
        return chosen(*_, **__)  # type: ignore[arg-type]  # a value of the parameter

    chosen = distillation._chosen
    with monkeypatch.context() as patch:
        patch.setattr(distillation, "_chosen", killed)
        with pytest.raises(KeyboardInterrupt):
            distill(wanted(teacher, cut), recipe, PAIRS, print)
    with (tmp_path / "cut.tsv.partial").open("a") as file:
        file.write("ca")  # and it died in the middle of a line
    said: list[str] = []
    [path] = distill(wanted(teacher, cut), recipe, PAIRS, said.append)

    assert ["going on after 2 of 3 sources"] == said
    assert lines(whole[0]) == lines(path)


def test_another_teacher_does_not_go_on_where_one_stopped(
    teacher: Path, recipe: Recipe, tmp_path: Path
) -> None:
    (tmp_path / "d.tsv.partial").write_text("fade\tFADE\n")
    (tmp_path / "d.tsv.json").write_text("{}")

    with pytest.raises(CorpusError, match="another teacher"):
        distill(wanted(teacher, tmp_path / "d.tsv"), recipe, PAIRS, print)
