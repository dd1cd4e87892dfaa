"""What follows from the numbers. A claim of the textbook, the two figures that decide it, and a
verdict that is computed from them: nothing is concluded here that was not measured.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from training.lab.rungs import Rung

__all__ = ["Finding", "findings", "judge"]

Verdict = Literal["as the textbook says", "against the textbook", "no difference seen", "undecided"]
Parts = Mapping[str, Any]

_POINTS = 3.0  # per cent of right answers that may be chance, at some hundred strings
_TIMES = 1.15  # of a speed that may be noise
_LEARNT = 30.0  # per cent of symbols; of ten letters, one in ten is right by chance


@dataclass(frozen=True)
class Finding:
    """A claim, and what the numbers of this run say to it."""

    claim: str
    verdict: Verdict
    evidence: str


def judge(more: float, less: float, *, by: float = 0.0, times: float = 1.0) -> Verdict:
    """Whether ``more`` is the larger, as the claim has it: by more than ``by`` and ``times``."""
    if more > less + by and more > less * times:
        return "as the textbook says"
    if less > more + by and less > more * times:
        return "against the textbook"
    return "no difference seen"


def findings(parts: Parts, rungs: Sequence[Rung]) -> list[Finding]:
    """Everything that the parts at hand decide."""
    kinds = {rung.name: rung for rung in rungs}
    found: list[Finding] = []
    if "gradients" in parts:
        found += _of_gradients(parts["gradients"])
    if "strings" in parts:
        found += _of_strings(parts["strings"], kinds)
    if "texts" in parts:
        found += _of_texts(parts["texts"])
    if "costs" in parts:
        found += _of_costs(parts["costs"]["rungs"])
    return found


def _of_gradients(numbers: Mapping[str, Any]) -> Iterator[Finding]:
    for start, cells in numbers["norms"].items():
        kept = {cell: norms[-1] / norms[0] for cell, norms in cells.items()}
        steps = len(cells["rnn"]) - 1
        for cell in ("lstm", "gru"):
            yield Finding(
                f"Gates let the gradient of {_article(cell)} reach further back than a plain "
                f"recurrence's (Hochreiter & Schmidhuber 1997), {start} start",
                judge(kept[cell], kept["rnn"], times=2.0),
                f"of the gradient at the last step, {kept[cell]:.1e} ({cell.upper()}) and "
                f"{kept['rnn']:.1e} (plain) are left {steps} steps before it",
            )


def _of_strings(numbers: Mapping[str, Any], kinds: Mapping[str, Rung]) -> Iterator[Finding]:
    tasks, longest = numbers["tasks"], numbers["longest"]
    names = list(next(iter(tasks.values())))
    fixed = [name for name in names if not kinds[name].attends]
    attending = [name for name in names if kinds[name].attends]
    # Of one direction: the reading order is part of what they are compared in.
    ahead = [name for name in fixed if not kinds[name].recipe.model.bidirectional]
    gated = [name for name in ahead if kinds[name].gated]
    plain = [name for name in ahead if not kinds[name].gated]
    trained = range(2, longest + 1)
    everywhere = list(tasks)
    if gated and plain:
        for task in tasks:
            yield _compared(
                f"With a fixed vector, gated cells remember more of a string than plain: {task}",
                (_accuracy(tasks, [task], gated, trained), "gated"),
                (_accuracy(tasks, [task], plain, trained), "plain"),
            )
    if fixed and attending:
        longer = range(max(2, longest - 3), longest + 1)
        yield _compared(
            "Attention keeps long strings that a fixed vector loses (Bahdanau et al. 2015)",
            (_accuracy(tasks, everywhere, attending, longer), "attention"),
            (_accuracy(tasks, everywhere, fixed, longer), "fixed vector"),
            f", strings of {longer[0]} to {longest}",
        )
    if fixed and {"copy", "reversal"} <= tasks.keys():
        yield _compared(
            "A fixed vector gives back the end first more easily than the beginning "
            "(Sutskever et al. 2014, section 3.3)",
            (_accuracy(tasks, ["reversal"], fixed, trained), "reversal"),
            (_accuracy(tasks, ["copy"], fixed, trained), "copy"),
        )
    transformers = [name for name in attending if kinds[name].transformer]
    recurrent = [name for name in attending if name not in transformers]
    if transformers and recurrent:
        yield _compared(
            "Attention alone does what recurrence with attention does, or better (Vaswani et al. "
            "2017), after equally many steps",
            (_accuracy(tasks, everywhere, transformers, trained), "Transformer"),
            (_accuracy(tasks, everywhere, recurrent, trained), "recurrent with attention"),
        )
    if attending:
        within = range(max(2, 2 * longest - numbers["beyond"] + 1), longest + 1)
        outside = range(longest + 1, numbers["beyond"] + 1)
        yield _compared(
            "What was learnt on short strings fails on longer ones, with attention too",
            (_accuracy(tasks, everywhere, attending, within), f"strings of {_span(within)}"),
            (_accuracy(tasks, everywhere, attending, outside), f"of {_span(outside)}, never seen"),
        )


def _of_texts(numbers: Mapping[str, Any]) -> Iterator[Finding]:
    about, rungs = numbers["about"], numbers["rungs"]
    fixed, attention = rungs["bidirectional"], rungs["attention-additive"]
    name = "BLEU" if about["metric"] == "bleu" else "% right"
    if max(attention["all"], fixed["all"]) < 1:
        return  # neither has learnt anything that could be compared
    yield Finding(
        f"Attention translates better than a fixed vector ({about['corpus']})",
        judge(attention["all"], fixed["all"], by=1.0),
        f"{attention['all']:.1f} and {fixed['all']:.1f} {name}",
    )
    gains = [a - b for a, b in zip(attention["by_length"], fixed["by_length"], strict=True)]
    if len(gains) > 1:
        (_, short), (long, _) = about["buckets"][0], about["buckets"][-1]
        yield Finding(
            "The longer the source, the more attention gains (Bahdanau et al. 2015, figure 2)",
            judge(gains[-1], gains[0], by=1.0),
            f"{gains[0]:+.1f} {name} up to {short} {about['unit']}, {gains[-1]:+.1f} from {long}",
        )


def _of_costs(rungs: Mapping[str, Mapping[str, float]]) -> Iterator[Finding]:
    if not {"transformer", "attention-additive"} <= rungs.keys():
        return
    transformer, recurrent = rungs["transformer"], rungs["attention-additive"]
    # As they are, and for each weight: the recipes differ in width.
    size = transformer["parameters"] / recurrent["parameters"]
    for key, claim, sign in (
        ("training", "A Transformer trains faster: no step waits for the one before it", 1),
        ("decoding", "A Transformer decodes more slowly: each step looks at all before it", -1),
    ):
        for counted, factor in (("as they are", 1.0), ("parameter for parameter", size)):
            pair = [transformer[key] * factor, recurrent[key]]
            yield Finding(
                f"{claim}; {counted}",
                judge(*pair[::sign], times=_TIMES),
                f"{transformer[key]:,.0f} symbols/s with {transformer['parameters']:,} parameters, "
                f"{recurrent[key]:,.0f} with {recurrent['parameters']:,} (additive attention)",
            )


def _compared(
    claim: str, more: tuple[float, str], less: tuple[float, str], where: str = ""
) -> Finding:
    evidence = f"{more[0]:.0f} % ({more[1]}) and {less[0]:.0f} % ({less[1]}) of symbols right"
    if max(more[0], less[0]) < _LEARNT:
        return Finding(claim, "undecided", f"{evidence}{where}: too little was learnt")
    return Finding(claim, judge(more[0], less[0], by=_POINTS), evidence + where)


def _accuracy(
    tasks: Mapping[str, Any], wanted: Iterable[str], names: Iterable[str], lengths: Iterable[int]
) -> float:
    """Mean share of right symbols over tasks, rungs and lengths."""
    names, lengths = list(names), set(lengths)
    return statistics.fmean(
        share
        for task in wanted
        for name in names
        for length, share in zip(
            tasks[task][name]["lengths"], tasks[task][name]["symbols"], strict=True
        )
        if int(length) in lengths
    )


def _span(lengths: range) -> str:
    return f"{lengths[0]} to {lengths[-1]}"


def _article(cell: str) -> str:
    return "an LSTM" if cell == "lstm" else "a GRU"
