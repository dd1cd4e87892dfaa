"""``parley-train``: one command from a recipe to a published bundle, and its stages one by one."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from training.runtime import prepare_process

__all__ = ["main"]


def main(argv: list[str] | None = None) -> int:
    prepare_process()
    parser = argparse.ArgumentParser(prog="parley-train")
    sub = parser.add_subparsers(dest="command", required=True)
    one = sub.add_parser("train")
    one.add_argument("recipe", type=Path)
    one.add_argument("--data-dir", type=Path, default=Path("data"))
    one.add_argument("--run-dir", type=Path)
    one.add_argument("--budget-minutes", type=float)
    args = parser.parse_args(argv)
    from training.preparation import prepare
    from training.stages import train

    run_dir = args.run_dir or Path("runs") / args.recipe.stem
    prepared = prepare(args.recipe, args.data_dir, run_dir)
    for line in prepared.drops.lines():
        print(line, file=sys.stderr)
    print(
        len(prepared.train),
        "pairs",
        sum(len(e.target) for e in prepared.train),
        "target tokens",
        file=sys.stderr,
    )
    train(prepared, args.budget_minutes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
