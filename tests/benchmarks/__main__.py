"""`make bench`: every measure in turn, then the table; `arguments` has what it can be asked for."""

import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.benchmarks.arguments import parse
from tests.benchmarks.bench import Bench, tell
from tests.benchmarks.machine import description
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks; returns the exit code: 0 also where a target was missed."""
    args = parse(arguments, list(MEASURES))
    machine = {**description(), "model": f"{args.bundle.parent.name}/{args.bundle.name}"}
    rows: list[Row] = []
    failed = False
    with tempfile.TemporaryDirectory() as work:
        bench = Bench(
            bundle=args.bundle,
            work=Path(work),
            scale=args.scale,
            pairs=args.pairs,
            peers=() if args.no_peers else Bench.peers,
            peer_model=args.peer_model,
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


if __name__ == "__main__":
    sys.exit(main())
