"""``parley-train prepare`` for raw pairs: its arguments, and what it says."""

from __future__ import annotations

import argparse
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from training.data.cleaning.rules import RULES, RuleError, choose_limits

if TYPE_CHECKING:
    from training.data.cleaning.clean import Job
    from training.data.cleaning.reading import Source

__all__ = ["EPILOG", "add_arguments", "given", "run"]

EPILOG = """\
examples:
  parley-train prepare pairs.tsv.gz --out data/mine --source-language de --target-language en
      clean, split, and write train.tsv.gz, dev.tsv.gz, test.tsv.gz (source<TAB>target) and
      report.json; what was dropped and mended, with examples, is told at the end
  parley-train prepare --parallel corpus.de corpus.en --out data/mine --dev 1000 --test 1000
      two files, line by line
  parley-train prepare more.tsv --out data/more --held-out data/mine/dev.tsv.gz \\
          --held-out data/mine/test.tsv.gz --dev 0 --test 0
      more pairs to train on, of which no sentence stands in those files
  parley-train prepare pairs.tsv --out data/mine --limit length-ratio=2 --without copy --dropped
      stricter here, more lenient there, and everything dropped in dropped.tsv.gz
  parley-train prepare my.toml
      a recipe: read its corpus, say what was dropped, fit its tokenizer
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What only raw pairs have; None is for what was not given."""
    parser.add_argument("more", type=Path, nargs="*", metavar="FILE", help="more raw pairs")
    group = parser.add_argument_group("raw pairs")
    group.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="where the results go; appears whole or not at all",
    )
    group.add_argument(
        "--parallel",
        action="store_true",
        default=None,
        help="the files are pairs of files of the same number of lines: SOURCE TARGET ...",
    )
    for side, column in (("source", 0), ("target", 1)):
        group.add_argument(
            f"--{side}-column",
            type=int,
            metavar="N",
            help=f"the {side} sentence's column of a TSV file, counted from 0 (default: {column})",
        )
    for side in ("source", "target"):
        group.add_argument(
            f"--{side}-language",
            type=_language,
            metavar="TAG",
            help=f"of the {side} side, such as de or pt-BR: text in another language or script is "
            "dropped (default: not looked at)",
        )
    for part in ("dev", "test"):
        group.add_argument(
            f"--{part}",
            type=_size,
            metavar="PAIRS",
            help=f"size of the {part} part (default: 2000, or 5 %% of the pairs if that is less)",
        )
    group.add_argument(
        "--seed", type=int, metavar="N", help="another seed, other dev and test parts (default: 1)"
    )
    group.add_argument(
        "--held-out",
        type=Path,
        action="append",
        metavar="FILE",
        help="drop pairs of which a sentence stands in this file, in any column; may be repeated",
    )
    group.add_argument(
        "--limit",
        type=_limit,
        action="append",
        metavar="RULE=VALUE",
        help="another limit for a rule",
    )
    group.add_argument(
        "--without", action="append", metavar="RULE", help="do not apply a rule; may be repeated"
    )
    group.add_argument(
        "--with",
        dest="with_",
        action="append",
        metavar="RULE",
        help="apply a rule that is off by default",
    )
    group.add_argument(
        "--examples", type=_size, metavar="N", help="examples shown for each rule (default: 3)"
    )
    group.add_argument(
        "--dropped",
        action="store_true",
        default=None,
        help="also write dropped.tsv.gz: rule, place, source, target of every dropped pair",
    )
    group.add_argument(
        "--overwrite", action="store_true", default=None, help="replace results that are there"
    )
    group.add_argument(
        "--workers", type=_size, metavar="N", help="processes (default: one for each usable core)"
    )
    group.add_argument(
        "--json", action="store_true", default=None, help="the report as JSON on standard output"
    )
    parser.add_argument_group("rules, in the order in which they are applied", _rules())


def given(args: argparse.Namespace) -> list[str]:
    """The arguments that only raw pairs have, as far as they were given."""
    alone = argparse.ArgumentParser()
    add_arguments(alone)
    return [
        action.option_strings[0] if action.option_strings else "several files"
        for action in alone._actions
        if getattr(args, action.dest, None) not in (None, [])
    ]


def run(args: argparse.Namespace) -> None:
    """Clean raw files.

    Raises:
        argparse.ArgumentTypeError: the arguments do not go together.
        CorpusError: a file cannot be read, or results would be overwritten.
    """
    # numpy and the tokenizers of service.bundle: --help does not wait for them.
    from tqdm import tqdm

    from training.data.cleaning.clean import clean
    from training.data.cleaning.reading import size_of

    job = _job(args, [args.recipe, *args.more])
    total = size_of(job.sources)
    begin = time.monotonic()
    with (
        _terminated_as_interrupted(),
        tqdm(total=total, unit="B", unit_scale=True, disable=None, dynamic_ncols=True) as bar,
    ):
        read = 0

        def advance(pairs: int, position: int) -> None:
            nonlocal read
            read += pairs
            bar.update(position - bar.n)
            bar.set_postfix_str(f"{read} pairs")

        report = clean(job, advance)
    seconds = time.monotonic() - begin
    if args.json:
        print(report.as_json(), end="")
        return
    for line in report.lines():
        print(line)
    print(f"{job.out}: {seconds:.1f} s, {report.read / seconds:.0f} pairs/s")


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM (from a container, `timeout`) tidies up as Ctrl-C does."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _job(args: argparse.Namespace, inputs: list[Path]) -> Job:
    from service.threads import usable_cpus
    from training.data.cleaning.clean import Job
    from training.data.cleaning.rows import Plan

    if args.out is None:
        raise argparse.ArgumentTypeError(
            f"{inputs[0]} is no recipe (*.toml), so it is taken for raw pairs: say with --out DIR "
            "where the clean ones shall go"
        )
    try:
        limits = choose_limits(
            changed=dict(args.limit or ()),
            with_=tuple(args.with_ or ()),
            without=tuple(args.without or ()),
        )
    except RuleError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    columns = [_or(args.source_column, 0), _or(args.target_column, 1)]
    if columns[0] == columns[1] or min(columns) < 0:
        raise argparse.ArgumentTypeError(
            "--source-column and --target-column must be two different columns, counted from 0, "
            f"not {columns[0]} and {columns[1]}"
        )
    return Job(
        sources=_sources(inputs, parallel=bool(args.parallel)),
        held_out=tuple(args.held_out or ()),
        plan=Plan(
            limits=limits,
            source_language=args.source_language or "",
            target_language=args.target_language or "",
            source_column=columns[0],
            target_column=columns[1],
            examples=_or(args.examples, 3),
            keep_dropped=bool(args.dropped),
        ),
        out=args.out,
        dev=args.dev,
        test=args.test,
        seed=_or(args.seed, 1),
        overwrite=bool(args.overwrite),
        workers=args.workers or usable_cpus(),
    )


def _sources(inputs: list[Path], *, parallel: bool) -> list[Source]:
    from training.data.cleaning.reading import Source

    if not parallel:
        return [Source(path) for path in inputs]
    if len(inputs) % 2:
        raise argparse.ArgumentTypeError(
            f"--parallel takes pairs of files, source and target; {len(inputs)} were given"
        )
    return [Source(*pair) for pair in zip(inputs[::2], inputs[1::2], strict=True)]


def _or(value: int | None, otherwise: int) -> int:
    return otherwise if value is None else value


def _size(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"must be 0 or more, not {text}")
    return value


def _language(text: str) -> str:
    from service.bundle import is_language

    if not is_language(text):
        raise argparse.ArgumentTypeError(
            f"must be a language tag such as de or pt-BR, not {text!r}"
        )
    return text


def _limit(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be RULE=NUMBER, not {text!r}") from None


def _rules() -> str:
    return "\n".join(
        f"  {rule.name:15} {rule.sentence(rule.limit)}"
        + ("" if rule.default else "; off by default")
        + ("; always" if rule.always else "")
        for rule in RULES.values()
    )
