"""`make soak`: thousands of mixed requests, in a crowd and one by one, must get the same answers.

First through the engine's thread in this process, then through a server process and gRPC. Exits
with 1 when anybody's answer differs or anything is left behind.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from shutil import copytree

from service.bundle.names import version_directory, versions
from service.cli.sentences import SENTENCES
from service.decoding import EngineLimits
from tests.soak.doors import Answer, Door, InProcess, OverGrpc
from tests.soak.soak import all_at_once, differences, one_by_one, outcomes
from tests.soak.visitors import Visitor, visitors
from tests.system.server import running

_EXPORTED, _MODEL = Path(__file__).resolve().parents[2] / "exported", "tatoeba-de-en"
SHIPPED = version_directory(_EXPORTED, _MODEL, max(versions(_EXPORTED, _MODEL), default=1))
_SHOWN = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    args = _parser().parse_args(arguments)
    return asyncio.run(_soak(args))


async def _soak(args: argparse.Namespace) -> int:
    everybody = visitors(SENTENCES, args.requests, args.seed)
    hurried = sum(each.deadline is not None for each in everybody)
    leaving = sum(each.leaves is not None for each in everybody)
    print(f"{len(everybody)} requests, {hurried} with short deadlines, {leaving} cancelled")
    limits = EngineLimits(max_rows=args.rows)
    door = InProcess(args.bundle, limits)
    started = time.monotonic()
    alone = await one_by_one(door, everybody)
    _tell("one by one, in process", alone, started)
    failed = await _crowd("in process", door, everybody, alone, args.crowd)
    door.engine.stop()
    if not args.in_process:
        with tempfile.TemporaryDirectory() as work:
            name = f"{args.bundle.parent.name}/{args.bundle.name}"
            copytree(args.bundle, Path(work) / "models" / name)
            flags = {"threads": 1, "max_rows": args.rows}
            with running(Path(work), Path(work) / "models", **flags) as server:
                remote = OverGrpc(server.wait_until_ready(), name)
                failed |= await _crowd("through gRPC", remote, everybody, alone, args.crowd)
                await remote.close()
    return int(failed)


async def _crowd(
    what: str, door: Door, everybody: list[Visitor], alone: list[Answer], crowd: int
) -> bool:
    """Let the crowd in, compare, and tell; returns whether anything was wrong."""
    started = time.monotonic()
    answers = await all_at_once(door, everybody, crowd)
    _tell(f"{crowd} at once, {what}", answers, started)
    left = await emptied(door.left_behind)
    found = differences(everybody, alone, answers)
    print(f"  {len(found)} answers differ; left behind: {left or 'nothing'}", flush=True)
    for each in found[:_SHOWN]:
        print(each, file=sys.stderr)
    return bool(found or left)


async def emptied(left_behind: Callable[[], dict[str, float]]) -> dict[str, float]:
    """What is left behind once the engine has had the time to notice who is gone."""
    for _ in range(100):
        if not left_behind():
            break
        await asyncio.sleep(0.02)
    return left_behind()


def _tell(what: str, answers: list[Answer], started: float) -> None:
    seconds = time.monotonic() - started
    told = ", ".join(f"{count} {code}" for code, count in outcomes(answers).items())
    print(f"{what}: {told} in {seconds:.0f} s", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000, help="default: %(default)s")
    parser.add_argument("--crowd", type=int, default=64, help="so many at a time (%(default)s)")
    parser.add_argument("--rows", type=int, default=320, help="of the batch (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument("--bundle", type=Path, default=SHIPPED, help="default: the shipped model")
    parser.add_argument("--in-process", action="store_true", help="without a server process")
    return parser


if __name__ == "__main__":
    sys.exit(main())
