"""Bad lines are dropped, counted and explained; only a corpus that cannot be used stops a run."""

import gzip
from pathlib import Path
from typing import Any

import pytest

from training.config import DataConfig
from training.data.corpus import (
    Corpus,
    CorpusError,
    Drops,
    Pair,
    Reference,
    group_references,
    read_corpus,
)

GOOD = b"Hallo.\tHello.\n"


def read_tsv(tmp_path: Path, lines: bytes, **changes: Any) -> Corpus:
    """A TSV corpus with this training part, whose development part is one good line."""
    (tmp_path / "train.tsv").write_bytes(lines)
    (tmp_path / "dev.tsv").write_bytes(GOOD)
    config = {"kind": "tsv", "train": "train.tsv", "dev": "dev.tsv", **changes}
    return read_corpus(DataConfig(**config), tmp_path, seed=1)


def read_parallel(tmp_path: Path, source: bytes, target: bytes) -> Corpus:
    for name, data in (("s", source), ("t", target), ("ds", b"a\n"), ("dt", b"b\n")):
        (tmp_path / name).write_bytes(data)
    config = DataConfig(kind="parallel", train="s", train_target="t", dev="ds", dev_target="dt")
    return read_corpus(config, tmp_path, seed=1)


def test_a_line_is_a_pair(tmp_path: Path) -> None:
    corpus = read_tsv(tmp_path, b"Hallo.\tHello.\nJa.\tYes.\n")

    assert [Pair("Hallo.", "Hello."), Pair("Ja.", "Yes.")] == corpus.train


def test_columns_are_numbered_from_0_and_others_are_ignored(tmp_path: Path) -> None:
    corpus = read_tsv(
        tmp_path, b"7\tHello.\tHallo.\tCC BY\n", source_column=2, target_column=1, dev="train.tsv"
    )

    assert [Pair("Hallo.", "Hello.")] == corpus.train


def test_lines_of_windows_and_a_last_line_without_an_end_are_read(tmp_path: Path) -> None:
    corpus = read_tsv(tmp_path, b"Hallo.\tHello.\r\nJa.\tYes.")

    assert [Pair("Hallo.", "Hello."), Pair("Ja.", "Yes.")] == corpus.train


def test_white_space_is_one_space(tmp_path: Path) -> None:
    corpus = read_tsv(tmp_path, "  Guten \u00a0 Tag \tGood   day\n".encode())

    assert [Pair("Guten Tag", "Good day")] == corpus.train


def test_a_file_that_ends_in_gz_is_unpacked(tmp_path: Path) -> None:
    (tmp_path / "train.tsv.gz").write_bytes(gzip.compress(GOOD))
    corpus = read_tsv(tmp_path, b"", train="train.tsv.gz")

    assert [Pair("Hallo.", "Hello.")] == corpus.train


def test_parallel_files_are_read_line_by_line(tmp_path: Path) -> None:
    corpus = read_parallel(tmp_path, b"eins\nzwei\n", b"one\ntwo\n")

    assert [Pair("eins", "one"), Pair("zwei", "two")] == corpus.train


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"Gr\xfc\xdfe\tGreetings\n", "not UTF-8"),
        (b"\tHello.\n", "an empty side"),
        (b"Hallo.\t  \n", "an empty side"),
        (b"Hallo.\n", "fewer than 2 columns"),
        (b"\n", "fewer than 2 columns"),
        (b"a" * 1001 + b"\tlong\n", "longer than 1000 characters"),
        (b"lang\t" + b"a" * 1_000_000 + b"\n", "longer than 1000 characters"),
    ],
    ids=["utf-8", "no source", "no target", "one column", "empty", "over-long", "enormous"],
)
def test_a_bad_line_is_dropped_with_its_reason_and_the_rest_is_read(
    tmp_path: Path, bad: bytes, reason: str
) -> None:
    corpus = read_tsv(tmp_path, GOOD + bad + GOOD)

    assert [Pair("Hallo.", "Hello.")] * 2 == corpus.train
    assert {reason: 1} == dict(corpus.drops.counts)


def test_drops_are_counted_by_reason_with_the_place_of_the_first(tmp_path: Path) -> None:
    corpus = read_tsv(tmp_path, GOOD + b"only one\n" + b"again\n" + b"Ja.\t\n")

    assert [
        "2 dropped: fewer than 2 columns (first at train.tsv:2: 'only one')",
        "1 dropped: an empty side (first at train.tsv:4: 'Ja.')",
    ] == corpus.drops.lines()


def test_an_example_of_a_drop_is_short() -> None:
    drops = Drops()
    drops.add("too long", "x:1", "a" * 10_000)

    assert len(drops.lines()[0]) < 200


def test_a_line_that_is_no_text_leaves_parallel_files_aligned(tmp_path: Path) -> None:
    corpus = read_parallel(tmp_path, b"eins\n\xff\ndrei\n", b"one\ntwo\nthree\n")

    assert [Pair("eins", "one"), Pair("drei", "three")] == corpus.train
    assert {"not UTF-8": 1} == dict(corpus.drops.counts)


def test_parallel_files_of_different_length_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"different numbers of lines .*ends before line 3"):
        read_parallel(tmp_path, b"eins\nzwei\ndrei\n", b"one\ntwo\n")


def test_a_missing_file_is_named_with_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"nowhere\.tsv: no such file .*--data-dir"):
        read_tsv(tmp_path, GOOD, train="nowhere.tsv")


def test_a_directory_is_no_corpus(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()

    with pytest.raises(CorpusError, match="folder: "):
        read_tsv(tmp_path, GOOD, train="folder")


@pytest.mark.parametrize("damage", ["cut short", "a wrong byte", "a wrong sum", "no gzip"])
def test_a_damaged_gzip_file_is_named(tmp_path: Path, damage: str) -> None:
    lines = "".join(f"Satz {i * 7919 % 1000}\tSentence {i * 104729 % 1000}\n" for i in range(500))
    data = bytearray(gzip.compress(lines.encode()))
    if damage == "cut short":
        del data[len(data) // 2 :]
    elif damage == "a wrong byte":
        data[10:200] = b"\xff" * 190
    elif damage == "a wrong sum":
        data[-6] ^= 0xFF
    else:
        data = bytearray(lines.encode())
    (tmp_path / "train.tsv.gz").write_bytes(data)

    with pytest.raises(CorpusError, match=r"train\.tsv\.gz: "):
        read_tsv(tmp_path, b"", train="train.tsv.gz")


def test_a_part_without_a_usable_pair_stops_with_the_reasons(tmp_path: Path) -> None:
    with pytest.raises(
        CorpusError, match=r"(?s)data\.train: not one usable pair.*3 dropped: an empty side"
    ):
        read_tsv(tmp_path, b"\tHello.\n" * 3)


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    corpus = read_tsv(tmp_path, b"\xef\xbb\xbf" + GOOD)

    assert [Pair("Hallo.", "Hello.")] == corpus.train


def test_translations_of_one_source_become_its_references() -> None:
    pairs = [Pair("ja", "yes"), Pair("nein", "no"), Pair("ja", "yeah"), Pair("ja", "yes")]

    assert [Reference("ja", ("yes", "yeah")), Reference("nein", ("no",))] == group_references(pairs)
