"""How `parley translate` prints an answer: plain, n-best, with alignments, or JSON."""

import argparse
import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from service.cli.lines import Line

if TYPE_CHECKING:
    from service.client import TranslationResult

__all__ = ["Form", "form_for"]

# (position of the line from 0, the line, its answer or None when it is blank) -> lines to print
Form = Callable[[int, Line, "TranslationResult | None"], Iterable[str]]

_BAR = " ||| "


def form_for(args: argparse.Namespace) -> Form:
    """The form that the options of the command ask for."""
    if args.json:
        return _json
    if args.n_best is not None:
        return _n_best_aligned if args.alignments else _n_best
    return _aligned if args.alignments else _plain


def _plain(_index: int, line: Line, answer: "TranslationResult | None") -> Iterable[str]:
    yield line.text if answer is None else _one_line(answer.translated_text)


def _aligned(_index: int, line: Line, answer: "TranslationResult | None") -> Iterable[str]:
    if answer is None:
        yield _BAR.join((line.text, "", "", ""))
    else:
        yield _BAR.join((_one_line(answer.translated_text), *_alignment(answer, 0)))


def _n_best(index: int, line: Line, answer: "TranslationResult | None") -> Iterable[str]:
    if answer is None:
        yield _BAR.join((str(index), line.text, "0"))
        return
    for each in answer.hypotheses:
        yield _BAR.join((str(index), _one_line(each.text), f"{each.score:.6f}"))


def _n_best_aligned(index: int, line: Line, answer: "TranslationResult | None") -> Iterable[str]:
    plain = _n_best(index, line, answer)
    for rank, text in enumerate(plain):
        yield _BAR.join((text, *(_alignment(answer, rank) if answer else ("", "", ""))))


def _json(index: int, line: Line, answer: "TranslationResult | None") -> Iterable[str]:
    told: dict[str, object] = {"line": index, "source": line.text}
    if answer is None:
        told["translated_text"] = line.text
    else:
        from service.client import as_dict

        told |= as_dict(answer)
    yield json.dumps(told, ensure_ascii=False)


def _alignment(answer: "TranslationResult", rank: int) -> tuple[str, str, str]:
    """Source pieces, target pieces, and "source-target" pairs of their positions."""
    tokens = answer.hypotheses[rank].tokens
    pairs = (
        f"{token.source_index}-{position}"
        for position, token in enumerate(tokens)
        if token.HasField("source_index")
    )
    return (
        " ".join(answer.source_pieces),
        " ".join(token.piece for token in tokens),
        " ".join(pairs),
    )


def _one_line(text: str) -> str:
    """Whatever a model may have produced, a line stays a line."""
    return text.replace("\r", " ").replace("\n", " ")
