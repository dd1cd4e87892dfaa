"""What the tests of cleaning share."""

import gzip
import json
from pathlib import Path
from typing import Any

from training.data.cleaning.clean import Job, clean
from training.data.cleaning.reading import Source
from training.data.cleaning.report import Report
from training.data.cleaning.rows import Plan
from training.data.cleaning.rules import choose_limits

Pairs = list[tuple[str, str]]


def write_pairs(path: Path, pairs: Pairs) -> Path:
    path.write_text("".join(f"{source}\t{target}\n" for source, target in pairs), "utf-8")
    return path


def read_part(out: Path, part: str) -> Pairs:
    """The pairs of a part; none where there is no such file."""
    path = out / f"{part}.tsv.gz"
    if not path.exists():
        return []
    lines = gzip.decompress(path.read_bytes()).decode().split("\n")
    return [(line.split("\t")[0], line.split("\t")[1]) for line in lines[:-1]]


def read_report(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "report.json").read_text("utf-8"))
    return found


def run(out: Path, *files: Path, plan: dict[str, Any] | None = None, **changes: Any) -> Report:
    """Clean TSV files with every default, but for what is given."""
    settings = {"limits": choose_limits(), **(plan or {})}
    job = Job(sources=[Source(file) for file in files], plan=Plan(**settings), out=out, **changes)
    return clean(job)


def cleaned(tmp_path: Path, pairs: Pairs, **changes: Any) -> Report:
    """These pairs cleaned into ``tmp_path / "out"``, all of them kept for training."""
    write_pairs(tmp_path / "in.tsv", pairs)
    changes = {"dev": 0, "test": 0, "overwrite": True, **changes}
    return run(tmp_path / "out", tmp_path / "in.tsv", **changes)
