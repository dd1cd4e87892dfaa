"""The options of a translation, as flags of a command.

One flag sets one field of the API, and what the server says of the field is told of the flag.
"""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from service.client import Options

__all__ = ["add_option_flags", "flag_of", "options_of"]

_INDEX = re.compile(r"\[\d+\].*$")

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


def add_option_flags(parser: argparse.ArgumentParser) -> None:
    """Add a flag for each option that a request may have."""
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
    _add_sampling(parser)


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


def _add_sampling(parser: argparse.ArgumentParser) -> None:
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


def options_of(args: argparse.Namespace) -> Options:
    """What the flags ask for, as the client takes it."""
    options: Options = {
        "model": args.model,
        "source_language_code": args.source,
        "target_language_code": args.target,
        "alignments": args.alignments,
    }
    given = {name: getattr(args, name) for name in _PLAIN if getattr(args, name) is not None}
    if args.terminology:
        given["terminology"] = dict(args.terminology)
    sampling = {name: getattr(args, name) for name in _SAMPLING if getattr(args, name) is not None}
    if args.sample or sampling:
        given["sampling"] = sampling
    return cast("Options", {**options, **given})


def flag_of(field: str) -> str | None:
    """The flag that set a field of the request's options, or one item of it."""
    return _FLAGS.get(_INDEX.sub("", field))
