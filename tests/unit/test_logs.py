"""Log lines: one per event, readable or JSON, coloured on terminals only."""

import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest

from service.logs import configure, facts


@pytest.fixture(autouse=True)
def _root_logger_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def logged(message: str, *, style: str = "text", stream: io.StringIO | None = None, **extra) -> str:
    stream = stream or io.StringIO()
    configure(level="info", style=style, stream=stream, colour=True)
    logging.getLogger("service.registry.manager").info(message, extra=facts(**extra))
    return stream.getvalue()


def test_text_has_the_source_the_message_and_the_facts() -> None:
    line = logged("ready", model="m", seconds=1.23456)

    assert "INFO    registry  ready  model=m seconds=1.235\n" in line


def test_text_in_a_file_has_no_colours() -> None:
    assert "\x1b" not in logged("ready")


def test_text_on_a_terminal_is_coloured() -> None:
    assert "\x1b[32mINFO" in logged("ready", stream=Terminal())


def test_a_terminal_is_not_coloured_against_the_users_wish() -> None:
    stream = Terminal()
    configure(level="info", style="text", stream=stream, colour=False)
    logging.getLogger("service").info("ready")

    assert "\x1b" not in stream.getvalue()


def test_json_is_one_object_a_line() -> None:
    entry = json.loads(logged("two\nlines", style="json", model="m", version=3))

    assert "two\nlines" == entry["message"]
    assert ("info", "registry", "m", 3) == (
        entry["level"],
        entry["source"],
        entry["model"],
        entry["version"],
    )
    assert entry["time"].endswith("Z")


def test_json_carries_the_traceback_in_the_same_object() -> None:
    stream = io.StringIO()
    configure(level="info", style="json", stream=stream, colour=False)
    try:
        raise ValueError("boom")
    except ValueError:
        logging.getLogger("service").exception("failed")

    assert "ValueError: boom" in json.loads(stream.getvalue())["exception"]


def test_json_survives_facts_that_json_does_not_know() -> None:
    assert json.loads(logged("x", style="json", error=ValueError("boom")))["error"] == "boom"


def test_a_fact_cannot_forge_a_line() -> None:
    assert logged("x", path="a\n00:00:00 INFO all is well").count("\n") == 1


def test_a_fact_with_spaces_is_quoted() -> None:
    assert 'reason="two words"' in logged("x", reason="two words")


def test_lines_below_the_level_are_not_written() -> None:
    stream = io.StringIO()
    configure(level="warning", style="text", stream=stream, colour=False)
    logging.getLogger("service").info("quiet")

    assert stream.getvalue() == ""


def test_configuring_twice_does_not_double_the_lines() -> None:
    configure(level="info", style="text", stream=sys.stderr, colour=False)

    assert logged("once").count("once") == 1
