"""The benchmarks run, on the frozen model and without peers; nothing here looks at speed."""

import json

import pytest

from tests.benchmarks.__main__ import MEASURES, main
from tests.benchmarks.bench import Bench
from tests.benchmarks.results import Row, markdown, table, write_between_marks
from tests.support.bundles import FROZEN

pytestmark = pytest.mark.benchmark


@pytest.mark.parametrize("name", MEASURES)
def test_every_measure_yields_rows_for_the_table(name, tmp_path, pairs, capsys):
    out = tmp_path / "latest.json"
    options = f"--bundle {FROZEN} --only {name} --no-peers --scale 0.001 --out {out}"
    code = main([*options.split(), "--tsv", str(pairs), "--columns", "2,1"])
    told = json.loads(out.read_text())
    printed = capsys.readouterr().out

    assert 0 == code, printed
    assert {"machine", "rows"} == set(told)
    assert told["machine"]["cpu"]
    assert told["rows"]
    for row in told["rows"]:
        assert {"what", "parley", "peer", "ratio", "target", "met"} <= set(row)
        assert "failed" not in row["note"]
        assert row["what"] in printed


def test_a_measure_that_fails_is_a_row_and_an_exit_code(tmp_path, monkeypatch, capsys):
    def broken(bench: Bench):
        yield Row(what="before", unit="s", parley=1.0)
        raise ValueError("broken")

    monkeypatch.setitem(MEASURES, "start", broken)
    out = tmp_path / "latest.json"
    options = f"--bundle {FROZEN} --only start --no-peers --scale 0.001 --out {out}"

    assert 1 == main(options.split())
    assert "failed: ValueError('broken')" in capsys.readouterr().out
    assert ["before", "start"] == [row["what"] for row in json.loads(out.read_text())["rows"]]


@pytest.mark.parametrize(
    ("mistake", "told"),
    [
        ("--bundle nowhere", "nowhere is no version of a model: no manifest.json"),
        ("--peer-model nowhere", "nowhere is no model for CTranslate2: no model.bin"),
        ("--scale 0", "argument --scale: must be above 0, not 0"),
        ("--scale fast", "argument --scale: invalid"),
        ("--only speed", "argument --only: invalid choice: 'speed'"),
        ("--tsv nowhere.tsv", "--tsv: [Errno 2] No such file or directory: 'nowhere.tsv'"),
        ("--tsv {pairs} --columns x", 'columns are two numbers from 1, such as "2,1"; not "x"'),
        ("--tsv {pairs} --columns 2,9", "pairs.tsv.gz, line 1: 3 columns, not 2,9"),
        (
            "--document CONTRIBUTING.md",
            "CONTRIBUTING.md must have one line <!-- measured: begin -->",
        ),
        ("--plot nowhere/plot.svg", "argument --plot: there is no directory nowhere"),
    ],
)
def test_a_mistake_is_told_before_anything_is_measured(mistake, told, pairs, capsys):
    with pytest.raises(SystemExit) as ended:
        main(mistake.format(pairs=pairs).split())
    printed = capsys.readouterr()

    assert 2 == ended.value.code
    assert told in printed.err
    assert "measuring" not in printed.err


@pytest.mark.parametrize(
    ("row", "ratio", "target", "met"),
    [
        (Row(what="x", unit="/s", parley=6, peer=2, peer_name="p", at_least=3), 3, ">= 3x", True),
        (
            Row(what="x", unit="/s", parley=5, peer=2, peer_name="p", at_least=3),
            2.5,
            ">= 3x",
            False,
        ),
        (Row(what="x", unit="ms", parley=1, peer=2, peer_name="p", at_most=1), 0.5, "<= 1x", True),
        (Row(what="x", unit="MB", parley=251, at_most=250), None, "<= 250 MB", False),
        (Row(what="x", unit="/s", parley=6, peer_name="p", at_least=3), None, ">= 3x", None),
        (Row(what="x", unit="/s", parley=6), None, "", None),
    ],
)
def test_a_row_knows_whether_its_target_is_met(row, ratio, target, met):
    assert (ratio, target, met) == (row.ratio, row.target, row.met)
    assert target in table({"cpu": "x"}, [row])


def test_a_document_gets_the_table_between_its_marks(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# Page\n<!-- measured: begin -->\nold\n<!-- measured: end -->\nThe end.\n")
    row = Row(what="speed", unit="/s", parley=6, peer=2, peer_name="p", at_least=3)
    write_between_marks(page, markdown({"memory_gb": 8}, [row]))
    text = page.read_text()

    assert "old" not in text
    assert "memory gb 8." in text
    assert "| speed | 6 /s | 2 p | 3 | >= 3x | yes |  |" in text
    assert text.startswith("# Page\n")
    assert text.endswith("\nThe end.\n")
