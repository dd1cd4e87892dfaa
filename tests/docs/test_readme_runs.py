"""The README's Python runs, as it is printed, against a real server."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.reading import blocks

ADDRESS = "127.0.0.1:50051"


@pytest.fixture
def server(repository: Path) -> Iterator[str]:
    """The address of a server with a small model, in a process of its own."""
    command = ["serve", "--models", "tests/fixtures/bundles/format-1", "--log-format", "text"]
    ports = ["--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"]
    with subprocess.Popen(
        [sys.executable, "-m", "service", *command, *ports],
        cwd=repository,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stderr is not None
            address = ""
            for line in process.stderr:
                found = re.search(r"listening .*\bgrpc=(\S+)", line)
                address = found[1] if found else address
                if "ready for traffic" in line:
                    break
            yield address
            process.send_signal(signal.SIGINT)
            process.stderr.read()
            assert process.wait(timeout=30) == 0
        finally:
            process.kill()


def test_the_python_of_the_readme_prints_translations(repository: Path, server: str) -> None:
    (block,) = (block for block in blocks("python") if block.document == "README.md")
    assert ADDRESS in block.text

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", block.text.replace(ADDRESS, server)],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (0, "") == (done.returncode, done.stderr)
    assert len(done.stdout.splitlines()) == 3
