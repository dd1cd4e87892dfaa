"""What the tests of the benchmarks share."""

import gzip
from pathlib import Path

import pytest

from tests.benchmarks.subject import Subject
from tests.support.bundles import FROZEN


@pytest.fixture(scope="session")
def subject() -> Subject:
    return Subject(FROZEN)


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.tsv.gz"
    path.write_bytes(gzip.compress(b"cba\tabc\tx\nfed\tdef\tx\ncab\tabc\tx\n"))
    return path
