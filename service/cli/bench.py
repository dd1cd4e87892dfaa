"""`parley bench`: how much a server can take, and how long its callers wait."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from service.cli.connection import CommandFailed, add_server_options
from service.cli.figures import progress_line, table, told
from service.cli.lines import read_lines
from service.cli.numbers import number, whole
from service.cli.sentences import SENTENCES

if TYPE_CHECKING:
    from service.client import AsyncClient, Load, Options, Record, Report

__all__ = ["add_parser"]

_DESCRIPTION = """\
Put load on a server and tell throughput, latency and failures. Without a FILE (one text per line;
"-" is standard input) it sends built-in German sentences."""

_EPILOG = """\
closed loop (--concurrency): so many callers, each waiting for its answer before asking again; shows
what the server can do. Throughput and latency depend on each other: try several.

open loop (--rate): calls arrive at random at this rate, whether or not the server keeps up; shows
what users would see. Latency counts from when a call should have been made, so a stall is seen by
everybody who would have met it, also by those whom this command could only ask later.

Latencies are those of the calls that succeeded; the others are counted by status code. A call that
is refused is not repeated. Ctrl-C ends early and reports what was measured so far.

exit: 0 measured, 1 failed (no server, or no call succeeded), 2 used wrongly, 130 interrupted.

examples:
  parley bench                                        16 callers for 10 seconds
  parley bench --concurrency 64 --beam 5 --duration 30 corpus.de
  parley bench --rate 200 --json > load.json          200 calls a second on average
  parley bench --requests 100000 --batch 8            8 texts in each call
"""

_FLAGS = {
    "beam": "--beam",
    "min_length": "--min-length",
    "max_length": "--max-length",
    "model": "--model",
    "source_language_code": "--source",
    "target_language_code": "--target",
}
_CLEAR_LINE = "\r\x1b[K"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `bench` to the subcommands of `parley`."""
    parser = subparsers.add_parser(
        "bench",
        help="measure a server under load",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_server_options(parser)
    load = parser.add_argument_group("load")
    pattern = load.add_mutually_exclusive_group()
    pattern.add_argument(
        "--concurrency",
        metavar="N",
        type=whole(1, 100_000),
        default=16,
        help="closed loop: this many callers (default: 16)",
    )
    pattern.add_argument(
        "--rate",
        metavar="CALLS",
        type=number(0.001, 1e6),
        help="open loop: this many calls a second on average (Poisson)",
    )
    length = load.add_mutually_exclusive_group()
    length.add_argument(
        "--duration",
        metavar="SECONDS",
        type=number(0.01, 86_400 * 7),
        default=10.0,
        help="how long to measure (default: 10)",
    )
    length.add_argument(
        "--requests", metavar="N", type=whole(1, 10**9), help="measure this many calls instead"
    )
    load.add_argument(
        "--warm-up",
        metavar="SECONDS",
        type=number(0, 86_400),
        default=2.0,
        help="the same load before measuring begins (default: 2)",
    )
    load.add_argument("--seed", metavar="N", type=int, default=0, help="of the arrivals (--rate)")
    what = parser.add_argument_group("what is asked")
    what.add_argument(
        "--batch",
        metavar="N",
        type=whole(1, 10_000),
        default=1,
        help="texts per call (default: 1)",
    )
    what.add_argument(
        "--model", metavar="NAME[/VERSION]", default="", help="which model (see `parley models`)"
    )
    what.add_argument("--source", metavar="LANG", default="", help="language of the texts")
    what.add_argument("--target", metavar="LANG", default="", help="language to translate into")
    what.add_argument(
        "--beam", metavar="N", type=int, help="1 (greedy) to 32 (default: the model's)"
    )
    what.add_argument(
        "--min-length", metavar="N", type=int, help="least tokens of every translated sentence"
    )
    what.add_argument(
        "--max-length",
        metavar="N",
        type=int,
        help="most tokens; the same as --min-length makes runs on different models comparable",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object, not a table")
    parser.add_argument("files", metavar="FILE", nargs="*", help="texts, one per line")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measure and report; returns the exit code. Raises InputError, CommandFailed, CallFailed."""
    texts = _texts(args.files)
    report, interrupted = asyncio.run(_bench(args, texts))
    facts = told(args, report)
    print(json.dumps(facts, indent=2) if args.json else table(facts))
    if interrupted:
        return 130
    return 0 if report.latency else 1


async def _bench(args: argparse.Namespace, texts: Sequence[str]) -> tuple[Report, bool]:
    """The figures, and whether they were cut short by Ctrl-C."""
    from service.client import AsyncClient, Load, Record, Report, apply_load

    seconds = None if args.requests else args.duration
    load = Load(
        concurrency=args.concurrency,
        rate=args.rate,
        seconds=seconds,
        calls=args.requests,
        warm_up_seconds=args.warm_up,
        seed=args.seed,
    )
    record, interrupted = Record(), False
    async with AsyncClient(args.server, timeout=args.timeout, retries=0) as client:
        await _probe(client, texts[0], _options(args))

        async def ask(number: int) -> None:
            first = number * args.batch
            batch = [texts[i % len(texts)] for i in range(first, first + args.batch)]
            await client.translate_all(batch, **_options(args))

        bar = asyncio.create_task(_progress(load, record)) if sys.stderr.isatty() else None
        try:
            await apply_load(ask, load, record)
        except asyncio.CancelledError:
            interrupted = True
        finally:
            if bar is not None:
                bar.cancel()
                print(_CLEAR_LINE, end="", file=sys.stderr, flush=True)
    now = asyncio.get_running_loop().time()
    return Report.of(record, now=now, seconds=seconds, texts_per_call=args.batch), interrupted


async def _probe(client: AsyncClient, text: str, options: Options) -> None:
    """One call before all others, so that what is wrong with all of them is told once."""
    from service.client import CallFailed

    try:
        await client.translate(text, **options)
    except CallFailed as error:
        field = error.field.removeprefix("options.")
        if field in _FLAGS:
            raise CommandFailed(f"{_FLAGS[field]}: {error.message}", exit_code=2) from None
        raise


def _options(args: argparse.Namespace) -> Options:
    options: Options = {
        "model": args.model,
        "source_language_code": args.source,
        "target_language_code": args.target,
    }
    for name in ("beam", "min_length", "max_length"):
        if getattr(args, name) is not None:
            options[name] = getattr(args, name)
    return options


def _texts(files: Sequence[str]) -> list[str]:
    if not files:
        return list(SENTENCES)
    texts = [line.text for group in read_lines(files) for line in group if not line.blank]
    if not texts:
        raise CommandFailed(f"{', '.join(files)}: nothing to translate", exit_code=2)
    return texts


async def _progress(load: Load, record: Record) -> None:
    """Redraw one line until cancelled."""
    clock = asyncio.get_running_loop().time
    before, seen = clock(), 0
    with contextlib.suppress(OSError):  # nobody looks any more
        while True:
            await asyncio.sleep(0.25)
            now, done = clock(), len(record.calls)
            pace = (done - seen) / (now - before)
            before, seen = now, done
            failed = sum(call.code != "OK" for call in record.calls[-1000:])
            line = progress_line(load, record, now, pace) + (f", {failed} failed" if failed else "")
            print(f"\r{line}\x1b[K", end="", file=sys.stderr, flush=True)
