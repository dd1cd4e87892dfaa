"""Reading text files: every line, its place, and what is wrong with it."""

import os

import pytest

from service.cli.lines import InputError, Line, read_lines, total_bytes


@pytest.fixture
def file(tmp_path):
    def make(content: bytes, name: str = "in.txt") -> str:
        path = tmp_path / name
        path.write_bytes(content)
        return str(path)

    return make


def lines(*files: str) -> list[Line]:
    return [line for group in read_lines(files) for line in group]


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        (b"", []),
        (b"\n", [""]),
        (b"a", ["a"]),
        (b"a\nb\n", ["a", "b"]),
        (b"a\n\n b \n", ["a", "", " b "]),
        ("ä\u2028ö\x0bü\n".encode(), ["ä\u2028ö\x0bü"]),
    ],
)
def test_a_line_ends_at_a_line_feed_and_nowhere_else(file, content, texts):
    assert texts == [line.text for line in lines(file(content))]


def test_the_ends_and_sizes_of_lines_are_kept(file):
    assert [("a", "\n", 2), ("b", "\r\n", 3), ("c", "\n", 1)] == [
        (line.text, line.end, line.size) for line in lines(file(b"a\nb\r\nc"))
    ]


def test_lines_longer_than_a_read_are_whole(file):
    content = b"x" * 200_000 + b"\n" + b"y" * 70_000 + b"\nz\n"

    assert [200_000, 70_000, 1] == [len(line.text) for line in lines(file(content))]


def test_characters_are_not_torn_between_two_reads(file):
    assert "ä" * 100_000 == lines(file(("ä" * 100_000).encode()))[0].text


def test_a_byte_order_mark_is_no_text(file):
    assert ["a", "\ufeffb"] == [line.text for line in lines(file("\ufeffa\n\ufeffb\n".encode()))]


def test_lines_are_counted_in_each_file(file):
    first, second = file(b"a\nb\n", "1"), file(b"c\n", "2")

    assert [f"{first}:1", f"{first}:2", f"{second}:1"] == [
        line.place for line in lines(first, second)
    ]


def test_bytes_that_are_no_text_are_named_after_the_lines_before_them(file):
    path = file(b"a\nb\ngr\xfc\xdfe\nd\n")
    groups = read_lines([path])

    assert ["a", "b"] == [line.text for line in next(groups)]
    with pytest.raises(InputError) as caught:
        next(groups)
    assert f"{path}:3: is not UTF-8: byte 0xfc at column 3 (invalid start byte)" == str(
        caught.value
    )


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="nowhere: No such file or directory"):
        lines(str(tmp_path / "nowhere"))


def test_a_directory_is_no_file(tmp_path):
    with pytest.raises(InputError, match="Is a directory"):
        lines(str(tmp_path))


def test_what_a_pipe_holds_is_handed_on_before_more_is_awaited(monkeypatch):
    reading, writing = os.pipe()
    monkeypatch.setattr(os, "open", lambda path, flags: reading)
    os.write(writing, b"a\nb\nunfinished")
    groups = read_lines(["pipe"])

    assert ["a", "b"] == [line.text for line in next(groups)]

    os.close(writing)

    assert ["unfinished"] == [line.text for line in next(groups)]
    assert None is next(groups, None)


def test_the_size_of_files_is_known_and_that_of_pipes_is_not(file, tmp_path):
    os.mkfifo(tmp_path / "pipe")

    assert 5 == total_bytes([file(b"abc", "1"), file(b"de", "2")])
    assert None is total_bytes([str(tmp_path / "pipe")])
    assert None is total_bytes([str(tmp_path / "nowhere")])


@pytest.mark.parametrize(
    ("text", "blank"), [("", True), (" \t\u00a0", True), ("a", False), ("\u200b", False)]
)
def test_a_blank_line_has_nothing_to_translate(text, blank):
    assert blank == Line(file="-", number=1, text=text, end="\n", size=0).blank
