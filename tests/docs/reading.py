"""Reads what the documents show: code blocks, and the commands in them."""

import contextlib
import importlib
import io
import re
import shlex
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "deploy/README.md",
    *(str(path.relative_to(ROOT)) for path in sorted((ROOT / "docs").rglob("*.md"))),
)
COMMANDS: dict[str, str] = {"parley": "service.cli", "parley-train": "training.cli"}


class Block(NamedTuple):
    document: str
    language: str
    text: str


def blocks(*languages: str) -> Iterator[Block]:
    """The fenced code blocks of every document."""
    for document in DOCUMENTS:
        text = (ROOT / document).read_text(encoding="utf-8")
        for language, body in re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            if language in languages:
                yield Block(document, language, body)


def shell_commands() -> Iterator[tuple[str, list[str]]]:
    """Each simple command of each shell block, as words."""
    for block in blocks("sh"):
        for line in re.sub(r"\\\n\s*", " ", block.text).splitlines():
            words = shlex.shlex(line, posix=True, punctuation_chars="|&;")
            words.whitespace_split = True
            command: list[str] = []
            for word in words:
                if set(word) <= set("|&;"):
                    yield block.document, command
                    command = []
                else:
                    command.append(word)
            if command:
                yield block.document, command


def commands(program: str) -> list[tuple[str, list[str]]]:
    found = [(at, words[1:]) for at, words in shell_commands() if Path(words[0]).name == program]
    assert found, f"no document shows {program}"
    return found


@cache
def help_of(program: str, *subcommand: str) -> str:
    main: Callable[[list[str]], int] = importlib.import_module(COMMANDS[program]).main
    output = io.StringIO()
    with contextlib.redirect_stdout(output), pytest.raises(SystemExit) as end:
        main([*subcommand, "--help"])
    assert end.value.code == 0
    return output.getvalue()


def unknown_flags(program: str) -> list[str]:
    """Where a document shows the program with a flag that its --help does not name."""
    found = []
    for document, words in commands(program):
        known = re.findall(r"(?<![\w-])--?[a-z][\w-]*", help_of(program, words[0]))
        for word in words[1:]:
            flag = word.partition("=")[0]
            if re.match(r"--?[a-z]", flag) and flag not in {*known, "--help"}:
                found.append(f"{document}: {program} {shlex.join(words)}")
    return found
