"""`parley translate`: text files through a server, line by line."""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, BinaryIO, TypeAlias, cast

from service.cli.connection import CommandFailed, add_server_options
from service.cli.formats import form_for
from service.cli.lines import Line, read_lines, total_bytes
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

_INDEX = re.compile(r"\[\d+\].*$")
_CONTENT = re.compile(r"contents\[(\d+)\]")

# Fields that are sent when their flag is given.
_PLAIN = (
    "beam",
    "n_best",
    "forbidden_phrases",
    "target_prefix",
    "required_phrases",
    "alternatives",
    "no_repeat_ngram",
    "repetition_penalty",
    "token_reward",
    "whole_vocabulary",
)
_SAMPLING = ("seed", "temperature", "top_k", "top_p")

# Fields of the API, by the flag that sets them.
_FLAGS = {
    "beam": "--beam",
    "n_best": "--n-best",
    "alignments": "--alignments",
    "source_language_code": "--source",
    "target_language_code": "--target",
    "model": "--model",
    "forbidden_phrases": "--forbid",
    "target_prefix": "--prefix",
    "required_phrases": "--require",
    "terminology": "--term",
    "alternatives": "--alternatives",
    "no_repeat_ngram": "--no-repeat-ngram",
    "repetition_penalty": "--repetition-penalty",
    "token_reward": "--token-reward",
    "sampling": "--sample",
    "sampling.seed": "--seed",
    "sampling.temperature": "--temperature",
    "sampling.top_k": "--top-k",
    "sampling.top_p": "--top-p",
}


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
    parser.add_argument(
        "--model",
        metavar="NAME[/VERSION]",
        default="",
        help="which model (default: the one for the language pair; see `parley models`)",
    )
    parser.add_argument("--source", metavar="LANG", default="", help="language of the input")
    parser.add_argument("--target", metavar="LANG", default="", help="language of the output")
    parser.add_argument(
        "--beam",
        metavar="N",
        type=int,
        help="hypotheses kept alive while decoding, 1 (greedy) to 32 (default: the model's)",
    )
    parser.add_argument(
        "--n-best", metavar="N", type=int, help="print the N best translations of each line"
    )
    parser.add_argument(
        "--alignments", action="store_true", help="print which source piece each piece came from"
    )
    _add_wishes(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object per line")
    parser.add_argument("files", metavar="FILE", nargs="*", default=["-"])
    parser.set_defaults(run=run)


def _add_wishes(parser: argparse.ArgumentParser) -> None:
    wishes = parser.add_argument_group("what may be said")
    wishes.add_argument(
        "--forbid",
        metavar="PHRASE",
        action="append",
        dest="forbidden_phrases",
        help="a phrase that must not be said; may be given several times",
    )
    wishes.add_argument(
        "--term",
        metavar="SOURCE=TARGET",
        action="append",
        type=_term,
        dest="terminology",
        help="how a term is to be translated; may be given several times",
    )
    wishes.add_argument(
        "--require",
        metavar="PHRASE",
        action="append",
        dest="required_phrases",
        help="a phrase that must be said (lines of one sentence); may be given several times",
    )
    wishes.add_argument(
        "--prefix",
        metavar="TEXT",
        dest="target_prefix",
        help="how each translation begins (lines of one sentence)",
    )
    wishes.add_argument(
        "--alternatives",
        action="store_true",
        default=None,
        help="with --n-best N: the N most probable next words (after --prefix), each continued",
    )
    wishes.add_argument(
        "--no-repeat-ngram", metavar="N", type=int, help="say no N pieces in a row twice"
    )
    wishes.add_argument(
        "--repetition-penalty", metavar="X", type=float, help="1 (off) to 10: avoid words said"
    )
    wishes.add_argument(
        "--token-reward",
        metavar="X",
        type=float,
        help="above 0: prefer longer texts; below: shorter",
    )
    wishes.add_argument(
        "--whole-vocabulary",
        action="store_true",
        default=None,
        help="look at all words, also those that a model's shortlist leaves out: slower",
    )
    sampling = parser.add_argument_group("sampling (any of these turns it on)")
    sampling.add_argument("--sample", action="store_true", help="draw words by chance")
    sampling.add_argument("--seed", metavar="N", type=int, help="the same seed draws the same text")
    sampling.add_argument(
        "--temperature", metavar="X", type=float, help="0.01 to 100, default 1: how wild"
    )
    sampling.add_argument(
        "--top-k", metavar="N", type=int, help="draw from the N most probable, 1 to 256 (64)"
    )
    sampling.add_argument(
        "--top-p", metavar="X", type=float, help="draw from the fewest with this probability"
    )


def _term(text: str) -> tuple[str, str]:
    source, equals, target = text.partition("=")
    if not (source and equals and target):
        raise argparse.ArgumentTypeError(f"{text!r} is not SOURCE=TARGET")
    return source, target


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

    options = _options(args)

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


def _options(args: argparse.Namespace) -> Options:
    options: Options = {
        "model": args.model,
        "source_language_code": args.source,
        "target_language_code": args.target,
        "alignments": args.alignments,
        "token_scores": args.json,
    }
    given = {name: getattr(args, name) for name in _PLAIN if getattr(args, name) is not None}
    if args.terminology:
        given["terminology"] = dict(args.terminology)
    sampling = {name: getattr(args, name) for name in _SAMPLING if getattr(args, name) is not None}
    if args.sample or sampling:
        given["sampling"] = sampling
    return cast("Options", {**options, **given})


def _explained(error: CallFailed, lines: list[Line]) -> ParleyError:
    """The error as the user of the command sees it: flags for fields, places for indices."""
    field = error.field.removeprefix("options.")
    if match := _CONTENT.fullmatch(field):
        return CommandFailed(f"{lines[int(match[1])].place}: {error.message}")
    if field == "request":
        return CommandFailed(f"{lines[0].place} to {lines[-1].place}: {error.message}")
    if flag := _FLAGS.get(_INDEX.sub("", field)):
        return CommandFailed(f"{flag}: {error.message}", exit_code=2)
    return error
