"""What `make bench` is asked for; a mistake is told before anything is measured."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from service.bundle import MANIFEST_FILE
from tests.benchmarks.machine import ROOT
from tests.benchmarks.results import around_marks
from tests.benchmarks.texts import Pairs
from tests.benchmarks.transformer import SHIPPED

_LATEST = ROOT / "tests" / "benchmarks" / "results" / "latest.json"
_QUICK = 0.1
_ABOUT = """Measure Parley on this machine beside its peers, and print the table.

Peers get environments of their own (.venv-bench, .venv-bench-onmt), and are left out, with the
reason, where they cannot be installed.
"""


def parse(arguments: Sequence[str] | None, measures: list[str]) -> argparse.Namespace:
    """Everything asked for, `bundle`, `scale` and `pairs` resolved; exits with 2 on a mistake."""
    parser = _parser(measures)
    args = parser.parse_args(arguments)
    args.bundle = args.bundle or _newest(ROOT / "exported")
    args.scale = args.scale or (_QUICK if args.quick else 1.0)
    try:
        args.pairs = Pairs.read(args.tsv, args.columns) if args.tsv else None
    except (OSError, ValueError) as error:
        parser.error(f"--tsv: {error}")
    return args


def _parser(measures: list[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make bench", description=_ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--bundle", type=_bundle, help="EXPORTED/MODEL/VERSION (default: the newest shipped)"
    )
    parser.add_argument("--only", action="append", choices=measures, help="leave out others")
    parser.add_argument("--quick", action="store_true", help="a tenth of the time, rough figures")
    parser.add_argument("--scale", type=_scale, help="the share of the full time to take")
    parser.add_argument("--no-peers", action="store_true", help="Parley alone, installs nothing")
    parser.add_argument(
        "--peer-model",
        type=_peer_model,
        default=SHIPPED,
        help="what CTranslate2 runs, written by tests/benchmarks/peers/ctranslate2_model.py from a "
        "training run (default: a Transformer trained on what the shipped model was trained on)",
    )
    parser.add_argument(
        "--tsv",
        type=Path,
        default=os.environ.get("BENCH_TSV"),
        help="pairs of real sentences, gzip or not (default: the variable BENCH_TSV)",
    )
    parser.add_argument(
        "--columns",
        default=os.environ.get("BENCH_COLUMNS", "1,2"),
        help='columns of source and target: "1,2" (default; or BENCH_COLUMNS), "2,1"',
    )
    parser.add_argument(
        "--plot", type=_new_file, help="also measure by concurrency, and draw it here"
    )
    parser.add_argument(
        "--document", type=_page, help="put the table between the marks of this page"
    )
    parser.add_argument("--out", type=Path, default=_LATEST, help="default: %(default)s")
    return parser


def _bundle(text: str) -> Path:
    path = Path(text)
    if not (path / MANIFEST_FILE).is_file():
        raise argparse.ArgumentTypeError(f"{path} is no version of a model: no {MANIFEST_FILE}")
    return path


def _peer_model(text: str) -> Path:
    path = Path(text)
    if not (path / "model.bin").is_file():
        raise argparse.ArgumentTypeError(f"{path} is no model for CTranslate2: no model.bin")
    return path


def _scale(text: str) -> float:
    scale = float(text)
    if not 0 < scale < float("inf"):
        raise argparse.ArgumentTypeError(f"must be above 0, not {text}")
    return scale


def _new_file(text: str) -> Path:
    path = Path(text)
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no directory {path.parent}")
    return path


def _page(text: str) -> Path:
    path = Path(text)
    try:
        around_marks(path)
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return path


def _newest(exported: Path) -> Path:
    versions = [each for each in exported.glob("*/*") if each.name.isdigit()]
    if not versions:
        sys.exit(f"no published model under {exported}; name one with --bundle")
    shipped = [each for each in versions if each.parent.name == "tatoeba-de-en"] or versions
    return max(shipped, key=lambda each: int(each.name))
