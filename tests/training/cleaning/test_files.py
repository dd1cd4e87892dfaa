"""Files in, files out: kinds of input, damage, what is written and when."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tests.training.cleaning.corpora import read_part, read_report, run, write_pairs
from training.cli import main
from training.data.cleaning import clean as cleaning
from training.data.cleaning.reading import Source, read_chunks
from training.data.cleaning.rows import Plan
from training.data.cleaning.rules import choose_limits
from training.data.cleaning.workers import clean_chunks
from training.data.corpus import CorpusError

PAIRS = [(f"Haus {'abcdefghij'[i]}", f"house {'abcdefghij'[i]}") for i in range(10)]


def prepare(*arguments: object) -> int:
    return main(["prepare", *map(str, arguments), "--workers", "1"])


def test_three_parts_and_a_report_are_written(tmp_path: Path) -> None:
    raw = write_pairs(tmp_path / "in.tsv", PAIRS)
    run(tmp_path / "out", raw, dev=2, test=3)
    found = [read_part(tmp_path / "out", part) for part in ("train", "dev", "test")]

    assert [5, 2, 3] == [len(part) for part in found]
    assert sorted(PAIRS) == sorted(pair for part in found for pair in part)
    assert ["dev.tsv.gz", "report.json", "test.tsv.gz", "train.tsv.gz"] == sorted(
        path.name for path in (tmp_path / "out").iterdir()
    )
    assert {"wanted": 2, "pairs": 2, "sources": 2, "targets": 2} == read_report(tmp_path / "out")[
        "parts"
    ]["dev"]


@pytest.mark.parametrize("kind", ["gzip", "windows", "mark", "no last newline", "columns"])
def test_a_file_of_any_kind_gives_the_same_pairs(tmp_path: Path, kind: str) -> None:
    text = "".join(f"{source}\t{target}\n" for source, target in PAIRS)
    columns: dict[str, Any] = {}
    path = tmp_path / "in.tsv"
    if kind == "gzip":
        path = tmp_path / "in.tsv.gz"
        path.write_bytes(gzip.compress(text.encode()))
    elif kind == "columns":
        columns = {"source_column": 3, "target_column": 1}
        path.write_text("".join(f"1\t{target}\tx\t{source}\ty\n" for source, target in PAIRS))
    else:
        data = {
            "windows": text.replace("\n", "\r\n"),
            "mark": "\ufeff" + text,
            "no last newline": text.removesuffix("\n"),
        }[kind]
        path.write_bytes(data.encode())
    report = run(tmp_path / "out", path, dev=0, test=0, plan=columns)

    assert PAIRS == read_part(tmp_path / "out", "train")
    assert 0 == report.mended.total()


def test_two_files_are_read_line_by_line(tmp_path: Path) -> None:
    (tmp_path / "de").write_bytes(b"Haus\nTor\xfc\nBaum\n")
    (tmp_path / "en").write_bytes(b"house\ngate\ntree")
    code = prepare(
        *("--parallel", tmp_path / "de", tmp_path / "en", "--out", tmp_path / "out"),
        *("--dev", 0, "--test", 0),
    )
    report = read_report(tmp_path / "out")

    assert 0 == code
    assert [("Haus", "house"), ("Baum", "tree")] == read_part(tmp_path / "out", "train")
    assert {"rule": "utf-8", "pairs": 1} == {k: report["dropped"][0][k] for k in ("rule", "pairs")}
    assert "de:2" == report["dropped"][0]["examples"][0]["place"]
    assert "Tor\\xfc" == report["dropped"][0]["examples"][0]["source"]


@pytest.mark.parametrize(
    ("left", "right", "message"),
    [
        (b"a\nb\nc\n", b"a\nb\n", "one ends before line 3"),
        (b"a\nb\n", b"a\nb\nc\n", "one ends before line 3"),
        ("Haus\n".encode("utf-16"), b"house\n", "is UTF-16; .* iconv"),
        (b"x" * (18 << 20), b"y\n", r"at or after line 1 has more than 16777216 bytes"),
    ],
    ids=["short", "long", "utf-16", "one line"],
)
def test_files_that_are_no_corpus_are_refused(
    tmp_path: Path, left: bytes, right: bytes, message: str
) -> None:
    (tmp_path / "a").write_bytes(left)
    (tmp_path / "b").write_bytes(right)

    with pytest.raises(CorpusError, match=message):
        list(read_chunks([Source(tmp_path / "a", tmp_path / "b")]))


def test_a_damaged_gzip_file_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    data = gzip.compress(b"".join(b"Haus %d\thouse %d\n" % (i, i) for i in range(5000)))
    (tmp_path / "in.tsv.gz").write_bytes(data[: len(data) // 2])

    with pytest.raises(CorpusError, match=r"in\.tsv\.gz: "):
        run(tmp_path / "out", tmp_path / "in.tsv.gz")
    assert not (tmp_path / "out").exists()


def test_results_are_not_overwritten_unless_asked_for(tmp_path: Path) -> None:
    raw = write_pairs(tmp_path / "in.tsv", PAIRS)
    run(tmp_path / "out", raw, dev=2, test=2)
    before = read_part(tmp_path / "out", "train")

    with pytest.raises(CorpusError, match=r"holds train\.tsv\.gz, .* --overwrite"):
        run(tmp_path / "out", raw, dev=0, test=0)
    assert before == read_part(tmp_path / "out", "train")
    run(tmp_path / "out", raw, dev=0, test=0, overwrite=True)
    assert PAIRS == read_part(tmp_path / "out", "train")
    assert not (tmp_path / "out" / "dev.tsv.gz").exists()


def test_an_interrupted_run_leaves_what_was_there(tmp_path: Path, monkeypatch) -> None:
    raw = write_pairs(tmp_path / "in.tsv", PAIRS)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cleaning, "_write", interrupted)

    assert 1 == prepare(raw, "--out", tmp_path / "out")
    assert ["mine.txt"] == [path.name for path in (tmp_path / "out").iterdir()]


def test_sentences_of_held_out_files_are_left_out_whatever_column_they_stand_in(
    tmp_path: Path,
) -> None:
    raw = write_pairs(tmp_path / "in.tsv", PAIRS)
    known = write_pairs(
        tmp_path / "dev.tsv", [("House  b.", "cottage"), ("palace", "HAUS &amp; a!")]
    )
    report = run(tmp_path / "out", raw, dev=0, test=0, held_out=[known])

    assert {"held-out": 2} == dict(report.dropped)
    assert PAIRS[2:] == read_part(tmp_path / "out", "train")


def test_every_dropped_pair_is_written_with_rule_and_place(tmp_path: Path) -> None:
    raw = write_pairs(tmp_path / "in.tsv", [("", "x"), *PAIRS, PAIRS[0], ("<b>", "b")])
    run(tmp_path / "out", raw, dev=0, test=0, plan={"keep_dropped": True})
    lines = gzip.decompress((tmp_path / "out" / "dropped.tsv.gz").read_bytes()).decode()

    assert [
        "empty\tin.tsv:1\t\tx",
        "markup\tin.tsv:13\t<b>\tb",
        "duplicate\tin.tsv:12\tHaus a\thouse a",
    ] == lines.splitlines()


def test_several_processes_answer_in_the_order_of_the_lines(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("training.data.cleaning.reading._CHUNK_BYTES", 40)
    raw = write_pairs(tmp_path / "in.tsv", PAIRS * 3)
    plan = Plan(limits=choose_limits())
    found = []
    for workers in (1, 2):
        answers = clean_chunks(read_chunks([Source(raw)]), plan, workers)
        found.append([(chunk.first_line, cleaned.kept) for chunk, cleaned in answers])

    assert len(found[0]) > 4
    assert found[0] == found[1]


def test_the_report_reads_as_text_and_as_json(tmp_path: Path, capsys) -> None:
    raw = write_pairs(tmp_path / "in.tsv", [*PAIRS, PAIRS[0], ("Tom &amp; Eva", "Tom and Eva")])
    arguments = (raw, "--out", tmp_path / "out", "--dev", 2, "--test", 0)

    assert 0 == prepare(*arguments)
    text = capsys.readouterr().out
    assert 0 == prepare(*arguments, "--overwrite", "--json")
    told = json.loads(capsys.readouterr().out)

    assert "12 pairs read, 11 kept (91.67%)" in text
    assert "duplicate: the same pair again" in text
    assert "in.tsv:11: Haus a | house a" in text
    assert "in.tsv:12: Tom &amp; Eva -> Tom & Eva" in text
    assert read_report(tmp_path / "out") == told
    assert (12, 11) == (told["read"], told["kept"])


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ("in.tsv", 2, "say with --out DIR"),
        ("in.tsv --out o --without nonsense", 2, "no rule 'nonsense'"),
        ("in.tsv --out o --source-column 1", 2, "two different columns"),
        ("in.tsv --out o --parallel", 2, "pairs of files"),
        ("nowhere.tsv --out o", 1, "nowhere.tsv: no such file"),
        ("in.tsv --out o --held-out dev.tsv", 1, "dev.tsv: no such file"),
        ("in.tsv --out o --dev 20", 1, "not one pair is left to train on"),
        ("my.toml --out o --json", 2, "my.toml is a recipe; raw pairs alone have --out, --json"),
    ],
)
def test_what_is_wrong_is_one_clear_message(
    tmp_path: Path, monkeypatch, capsys, arguments: str, code: int, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_pairs(tmp_path / "in.tsv", PAIRS)

    assert code == main(["prepare", *arguments.split()])
    assert message in capsys.readouterr().err
    assert not list(tmp_path.glob("o/*"))


@pytest.mark.parametrize("flag", ["--limit x", "--dev -1", "--source-language de_DE!"])
def test_a_value_that_makes_no_sense_is_a_misuse(capsys, flag: str) -> None:
    with pytest.raises(SystemExit) as end:
        main(["prepare", "in.tsv", "--out", "o", *flag.split()])

    assert 2 == end.value.code
    assert "must be" in capsys.readouterr().err


def test_help_lists_every_rule_with_its_limit(capsys) -> None:
    with pytest.raises(SystemExit):
        main(["prepare", "--help"])
    text = capsys.readouterr().out

    assert "length-ratio    one side 2.5 times too long for the other" in text
    assert "letters         fewer than 30% letters" in text
