"""`parley translate`: text files through a server, line by line."""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

from service.cli.connection import CommandFailed, add_server_options
from service.cli.formats import form_for
from service.cli.lines import Line, read_lines, total_bytes
from service.cli.options import add_option_flags, flag_of, options_of
from service.cli.pipeline import pump
from service.cli.progress import Progress
from service.errors import ParleyError

if TYPE_CHECKING:
    from service.client import AsyncClient, CallFailed, Options, TranslationResult

    Answers: TypeAlias = Sequence[TranslationResult | None]

__all__ = ["add_parser"]

_DESCRIPTION = """\
Translate text, line by line: one line out for each line in, in order; blank lines stay as they
are. Reads the FILEs, or standard input without any (or for "-"); writes to standard output. A line
may hold several sentences."""

_EPILOG = """\
output:
  default            TRANSLATION
  --n-best N         N lines for each line in:  LINE ||| TRANSLATION ||| SCORE   (LINE from 0)
  --alignments       adds  ||| SOURCE PIECES ||| TARGET PIECES ||| 0-0 1-2 ...  (source-target)
  --json             one object for each line in, with scores, tokens, alignments, timings

exit: 0 done, 1 failed (such as no server, or input that is not UTF-8), 2 used wrongly.

examples:
  echo "Wo ist der Bahnhof?" | parley translate
  parley translate --beam 5 --server translate.example:50051 corpus.de > corpus.en
  parley translate --source de --target en --n-best 3 questions.txt
  echo "Guten Tag!" | parley translate --prefix "Hello" --n-best 4 --alternatives
  echo "Guten Tag!" | parley translate --n-best 4 --temperature 0.8 --top-p 0.9 --seed 7
"""

_CONTENT = re.compile(r"contents\[(\d+)\]")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `translate` to the subcommands of `parley`."""
    parser = subparsers.add_parser(
        "translate",
        help="translate text, line by line",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_server_options(parser)
    add_option_flags(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object per line")
    parser.add_argument("files", metavar="FILE", nargs="*", default=["-"])
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Translate; returns the exit code. Raises InputError, CommandFailed, CallFailed."""
    if "-" in args.files and sys.stdin.isatty():
        print("reading from the terminal: one text per line, Ctrl-D to end", file=sys.stderr)
    return asyncio.run(_translate(args, sys.stdout.buffer))


async def _translate(args: argparse.Namespace, out: BinaryIO) -> int:
    from service.client import AsyncClient

    progress = Progress(
        sys.stderr,
        total_bytes(args.files),
        # On a terminal that shows the translations themselves, a bar would run through them.
        visible=sys.stderr.isatty() and not sys.stdout.isatty(),
    )
    form = form_for(args)
    count = 0

    def write(batch: list[Line], answers: Answers) -> None:
        nonlocal count
        for line, answer in zip(batch, answers, strict=True):
            out.writelines(f"{text}{line.end}".encode() for text in form(count, line, answer))
            count += 1
        out.flush()
        progress.advance(len(batch), sum(line.size for line in batch))

    try:
        async with AsyncClient(args.server, timeout=args.timeout) as client:
            await pump(read_lines(args.files), _caller(client, args), write)
    finally:
        progress.close()
    return 0


def _caller(
    client: AsyncClient, args: argparse.Namespace
) -> Callable[[list[Line]], Awaitable[Answers]]:
    """What translates a batch of lines; blank ones are not sent, and have no answer."""
    from service.client import CallFailed

    options: Options = {**options_of(args), "token_scores": args.json}

    async def call(batch: list[Line]) -> Answers:
        lines = [line for line in batch if not line.blank]
        if not lines:
            return [None] * len(batch)
        try:
            results = await client.translate_all([line.text for line in lines], **options)
        except CallFailed as error:
            raise _explained(error, lines) from None
        answers = iter(results)
        return [None if line.blank else next(answers) for line in batch]

    return call


def _explained(error: CallFailed, lines: list[Line]) -> ParleyError:
    """The error as the user of the command sees it: flags for fields, places for indices."""
    field = error.field.removeprefix("options.")
    if match := _CONTENT.fullmatch(field):
        return CommandFailed(f"{lines[int(match[1])].place}: {error.message}")
    if field == "request":
        return CommandFailed(f"{lines[0].place} to {lines[-1].place}: {error.message}")
    if flag := flag_of(field):
        return CommandFailed(f"{flag}: {error.message}", exit_code=2)
    return error
