"""Whole runs of the lab, as small as they can be: complete, repeatable, resumable."""

import dataclasses
import json
import random
import re
from pathlib import Path
from typing import Any

import pytest

from tests.training.tiny import architecture, shouted, transformer
from training.cli import main
from training.config import DataConfig, ModelConfig
from training.lab.plan import Plan, Sizes
from training.lab.run import run_lab
from training.lab.rungs import Rung, ladder

SIZES = Sizes(
    reach_steps=6,
    reach_seeds=2,
    reach_width=8,
    string_steps=3,
    string_tokens=60,
    string_pairs=60,
    longest=4,
    beyond=6,
    per_length=3,
    text_steps=2,
    text_tokens=200,
    text_pairs=200,
    text_dev=20,
    vocabulary=300,
    buckets=3,
    repeats=1,
)
PLAIN = architecture(cell="rnn", attention="none", encoder_layers=1, decoder_layers=1)
ATTENDING = architecture(cell="gru", attention="additive", encoder_layers=1, decoder_layers=1)
TRANSFORMER = transformer(heads=1, encoder_layers=1, decoder_layers=1, embedding=8)


def tiny(**models: ModelConfig) -> tuple[Rung, ...]:
    """Rungs with the recipes' own training and other models."""
    names = {name: name.replace("_", "-") for name in models}
    return tuple(
        Rung(rung.name, dataclasses.replace(rung.recipe, model=model))
        for rung, model in zip(ladder(list(names.values())), models.values(), strict=True)
    )


def plan(out: Path, **changes: Any) -> Plan:
    chosen: dict[str, Any] = {
        "sizes": SIZES,
        "rungs": tiny(elman=PLAIN, attention_additive=ATTENDING, transformer=TRANSFORMER),
        "cost_rungs": tiny(attention_additive=ATTENDING, transformer=TRANSFORMER),
        "text_rungs": tiny(
            bidirectional=PLAIN, attention_additive=ATTENDING, transformer=TRANSFORMER
        ),
        **changes,
    }
    return Plan(out=out, **chosen)


def numbers(out: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((out / "numbers.json").read_text(encoding="utf-8"))
    return read


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of all parts."""
    return run_lab(plan(tmp_path_factory.mktemp("lab"))).parent


def test_the_report_has_every_part_and_its_plots(whole: Path) -> None:
    text = (whole / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"!\[[^]]+\]\((\S+)\)", text)

    assert {"gradients", "strings", "texts", "costs"} == numbers(whole)["parts"].keys()
    assert sorted(path.name for path in whole.glob("*.png")) == sorted(shown)
    assert 6 == len(shown)
    for name in shown:
        assert (whole / name).read_bytes().startswith(b"\x89PNG")


def test_without_given_texts_the_report_says_that_they_are_dates(whole: Path) -> None:
    assert "**generated dates**" in (whole / "README.md").read_text(encoding="utf-8")


def test_the_tables_show_the_numbers_of_the_json(whole: Path) -> None:
    text = (whole / "README.md").read_text(encoding="utf-8")
    parts = numbers(whole)["parts"]

    for name, rung in parts["texts"]["rungs"].items():
        scores = " | ".join(f"{value:.1f}" for value in [rung["all"], *rung["by_length"]])
        assert f"| {name} | {rung['parameters']:,} | {scores} |" in text
    for name, rung in parts["costs"]["rungs"].items():
        speeds = [rung["training"], rung["decoding"], rung["decoding_alone"]]
        row = " | ".join(f"{speed:,.0f}" for speed in speeds)
        assert f"| {name} | {rung['parameters']:,} | {row} |" in text
    for rungs in parts["strings"]["tasks"].values():
        for name, rung in rungs.items():
            right = [f"{rung['symbols'][length - 2]:.0f}" for length in (2, 4, 6)]
            assert f"| {name} | {rung['parameters']:,} | {' | '.join(right)} |" in text
    for finding in numbers(whole)["findings"]:
        assert f"| {finding['claim']} | **{finding['verdict']}** | {finding['evidence']} |" in text


def test_a_seed_gives_the_same_numbers_and_plots(whole: Path, tmp_path: Path) -> None:
    again = run_lab(plan(tmp_path / "again", parts=("gradients", "strings", "texts"))).parent
    first, second = numbers(whole)["parts"], numbers(again)["parts"]

    assert {name: part for name, part in first.items() if name != "costs"} == second
    for path in again.glob("*.png"):
        assert (whole / path.name).read_bytes() == path.read_bytes()


def test_another_seed_gives_others(whole: Path, tmp_path: Path) -> None:
    other = run_lab(plan(tmp_path, seed=2, parts=("gradients",))).parent

    assert numbers(whole)["parts"]["gradients"] != numbers(other)["parts"]["gradients"]


def test_a_stopped_run_goes_on_with_the_part_that_was_not_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = tiny(elman=PLAIN)
    begun = plan(tmp_path, parts=("gradients", "strings"), rungs=few)
    with monkeypatch.context() as patch:
        patch.setattr("training.lab.run.TASKS", ("copy", "no such task"))
        with pytest.raises(KeyError):
            run_lab(begun)
    assert not (tmp_path / "README.md").exists()
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "parts").iterdir()}
    assert {"gradients.json", "strings.copy.elman.json"} == {path.name for path in kept}

    run_lab(begun)

    assert {"copy", "reversal"} == numbers(tmp_path)["parts"]["strings"]["tasks"].keys()
    assert kept == {path: path.stat().st_mtime_ns for path in kept}


def test_a_part_is_made_anew_when_its_sizes_have_changed(tmp_path: Path) -> None:
    for steps in (6, 9):
        sizes = dataclasses.replace(SIZES, reach_steps=steps)
        run_lab(plan(tmp_path, parts=("gradients",), sizes=sizes))
        norms = numbers(tmp_path)["parts"]["gradients"]["norms"]

        assert steps + 1 == len(norms["uniform"]["rnn"])


def test_a_damaged_part_is_made_anew(tmp_path: Path) -> None:
    run_lab(plan(tmp_path, parts=("gradients",)))
    before = numbers(tmp_path)["parts"]
    (tmp_path / "parts" / "gradients.json").write_text('{"settings"', encoding="utf-8")

    run_lab(plan(tmp_path, parts=("gradients",)))

    assert before == numbers(tmp_path)["parts"]


def test_a_published_model_is_drawn_when_it_is_named(repository: Path, tmp_path: Path) -> None:
    model = max((repository / "exported" / "tatoeba-de-en").iterdir())
    chosen = ["--out", str(tmp_path), "--only", "published"]

    assert 0 == main(["lab", *chosen, "--model", str(model)])

    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert f"tatoeba-de-en/{model.name}" in text
    assert "(maps-published.png)" in text
    assert (tmp_path / "maps-published.png").exists()


def test_one_part_alone_leaves_in_the_report_what_was_there(tmp_path: Path) -> None:
    run_lab(plan(tmp_path, parts=("gradients",)))
    run_lab(plan(tmp_path, parts=("costs",)))

    assert {"gradients", "costs"} == numbers(tmp_path)["parts"].keys()


def test_given_texts_are_scored_by_their_length(tmp_path: Path) -> None:
    rng = random.Random(1)
    lines = [
        " ".join(shouted(rng).split("\t")[0] for _ in range(rng.randint(1, 9))) for _ in range(400)
    ]
    text = "".join(f"{line.upper()}\t{line}\n" for line in lines)
    (tmp_path / "pairs.tsv").write_text(text, encoding="utf-8")
    texts = DataConfig(kind="tsv", train="pairs.tsv", source_column=1, target_column=0)

    out = run_lab(plan(tmp_path / "out", parts=("texts",), texts=texts, data_dir=tmp_path)).parent

    part = numbers(out)["parts"]["texts"]
    assert "bleu" == part["about"]["metric"]
    assert 3 == len(part["about"]["buckets"]) == len(part["rungs"]["transformer"]["by_length"])
    sources = {
        entry for rung in part["rungs"].values() for m in rung["maps"] for entry in m["source"]
    }
    assert any(entry.islower() for entry in sources)  # column 1 is what is read
    assert "pairs.tsv" in (out / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--columns", "1,1"], "two different columns"),
        (["--columns", "one"], "two numbers"),
        (["--minutes", "0"], "above 0"),
        (["--only", "poetry"], "invalid choice"),
        (["--quick", "--minutes", "3"], "not allowed with"),
    ],
)
def test_what_makes_no_sense_is_refused(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["lab", *arguments])

    assert 2 == end.value.code
    assert message in capsys.readouterr().err


def test_texts_for_scores_alone_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 2 == main(["lab", "--out", str(tmp_path), "--dev", "dev.tsv"])
    assert "--dev goes with --tsv" in capsys.readouterr().err


def test_missing_texts_are_one_line_on_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["lab", "--out", str(tmp_path), "--tsv", "nowhere.tsv", "--only", "texts"])

    assert 1 == code
    assert "nowhere.tsv: no such file" in capsys.readouterr().err
