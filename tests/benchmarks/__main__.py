"""`make bench`: measure Parley on this machine beside its peers, and print the table.

Needs nothing but the service's environment; peers get environments of their own (.venv-bench,
.venv-bench-onmt), and are left out, with the reason, where they cannot be installed.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.benchmarks.bench import Bench, tell
from tests.benchmarks.machine import ROOT, description
from tests.benchmarks.measures import (
    arrivals,
    calls,
    in_process,
    parts,
    prepare,
    process,
    real,
    sweep,
    training,
)
from tests.benchmarks.results import Row, markdown, table, write, write_between_marks
from tests.benchmarks.texts import Pairs

LATEST = ROOT / "tests" / "benchmarks" / "results" / "latest.json"

MEASURES: dict[str, Callable[[Bench], Iterator[Row]]] = {
    "in-process": in_process.fixed_lengths,
    "real": real.real_sentences,
    "single": calls.one_at_a_time,
    "callers": calls.many_callers,
    "servers": calls.callers_of_a_peer,
    "poisson": arrivals.poisson,
    "parts": parts.engine_against_parts,
    "start": process.start,
    "memory": process.memory,
    "prepare": prepare.pairs_a_minute,
    "training": training.tokens_a_second,
}
_QUICK = 0.1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks; returns the exit code: 0 also where a target was missed."""
    args = _parser().parse_args(arguments)
    bundle = args.bundle or _newest(ROOT / "exported")
    machine = {**description(), "model": f"{bundle.parent.name}/{bundle.name}"}
    rows: list[Row] = []
    failed = False
    with tempfile.TemporaryDirectory() as work:
        bench = Bench(
            bundle=bundle,
            work=Path(work),
            scale=args.scale or (_QUICK if args.quick else 1.0),
            pairs=Pairs.read(args.tsv, args.columns) if args.tsv else None,
            peers=() if args.no_peers else Bench.peers,
            peer_run=args.peer_run,
        )
        try:
            for name, measure in MEASURES.items():
                if name in (args.only or MEASURES):
                    print(f"measuring: {name}", file=sys.stderr, flush=True)
                    failed |= not _add(rows, bench, name, measure)
            if args.plot:
                print("measuring: by concurrency", file=sys.stderr, flush=True)
                failed |= not _draw(bench, machine, args.plot)
        finally:
            bench.close()
    print(table(machine, rows))
    write(args.out, machine, rows)
    if args.document:
        write_between_marks(args.document, markdown(machine, rows))
    return int(failed)


def _add(
    rows: list[Row], bench: Bench, name: str, measure: Callable[[Bench], Iterator[Row]]
) -> bool:
    """Add the rows of one measure; returns whether it went well. The others are run anyway."""
    try:
        for row in measure(bench):
            rows.append(row)  # noqa: PERF402 - what was measured before a failure is kept
    except Exception as error:  # noqa: BLE001 - whatever keeps one figure from being taken
        rows.append(Row(what=name, unit="", parley=None, note=f"failed: {error!r}"))
        return False
    return True


def _draw(bench: Bench, machine: dict[str, object], path: Path) -> bool:
    try:
        points = sweep.by_concurrency(bench)
        title = f"{machine['model']}, greedy, one thread, {machine['cpu']}"
        sweep.plot(points, title, path)
    except Exception as error:  # noqa: BLE001 - the table is worth printing anyway
        tell(f"no plot: {error!r}")
        return False
    return True


def _newest(exported: Path) -> Path:
    versions = [each for each in exported.glob("*/*") if each.name.isdigit()]
    if not versions:
        sys.exit(f"no published model under {exported}; name one with --bundle")
    shipped = [each for each in versions if each.parent.name == "tatoeba-de-en"] or versions
    return max(shipped, key=lambda each: int(each.name))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--bundle", type=Path, help="EXPORTED/MODEL/VERSION (default: the shipped)")
    parser.add_argument("--only", action="append", choices=list(MEASURES), help="leave out others")
    parser.add_argument("--quick", action="store_true", help="a tenth of the time, rough figures")
    parser.add_argument("--scale", type=float, help="the share of the full time to take")
    parser.add_argument("--no-peers", action="store_true", help="Parley alone, installs nothing")
    parser.add_argument(
        "--peer-run",
        type=Path,
        default=os.environ.get("BENCH_PEER_RUN"),
        help="a run of training/recipes/tatoeba-de-en-transformer.toml (or of another Transformer "
        "of one embedding table), whose weights CTranslate2 is to have, so that real sentences "
        "are scored for it too (default: the variable BENCH_PEER_RUN, or random weights)",
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
    parser.add_argument("--plot", type=Path, help="also measure by concurrency, and draw it here")
    parser.add_argument(
        "--document", type=Path, help="put the table between the marks of this page"
    )
    parser.add_argument("--out", type=Path, default=LATEST, help="default: %(default)s")
    return parser


if __name__ == "__main__":
    sys.exit(main())
