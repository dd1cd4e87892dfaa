"""From raw files to a clean corpus in parts.

chunks -> pairs, mended and judged alone (workers) -> waiting file + digests
       -> judged together -> dealt into parts -> files and report
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import compress, islice
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from training.data.cleaning.keys import Keys, digests, normal_forms
from training.data.cleaning.mending import mend
from training.data.cleaning.output import REPORT, open_packed, output_directory
from training.data.cleaning.reading import Source, read_chunks
from training.data.cleaning.report import Part, Report
from training.data.cleaning.rows import Example, Plan, dropped_line, keep_first
from training.data.cleaning.scripts import scripts_of
from training.data.cleaning.split import PARTS, deal
from training.data.cleaning.survivors import NAMES, Judged, Survivors
from training.data.cleaning.workers import clean_chunks
from training.data.corpus import CorpusError

__all__ = ["Job", "clean"]

Advance = Callable[[int, int], None]
_LINES_AT_ONCE = 1 << 15
# Parts that nobody asked a size for: so many pairs, or so much of what there is.
_USUAL_PAIRS, _USUAL_SHARE = 2000, 0.05


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """What to clean, how, and where to; ``dev`` and ``test`` in pairs, None for a usual size."""

    sources: Sequence[Source]
    held_out: Sequence[Path] = ()
    plan: Plan
    out: Path
    dev: int | None = None
    test: int | None = None
    seed: int = 1
    overwrite: bool = False
    workers: int = 1


def clean(job: Job, advance: Advance = lambda *_: None) -> Report:
    """Do it; ``advance`` hears how many pairs and bytes have been read.

    Raises:
        CorpusError: a file cannot be read, nothing is left, or results would be overwritten.
    """
    plan = job.plan
    report = Report(
        limits=plan.limits,
        examples=plan.examples,
        languages=(plan.source_language, plan.target_language),
        seed=job.seed,
        notes=_notes(plan),
    )
    held_out = _held_out(job.held_out)
    with output_directory(job.out, overwrite=job.overwrite) as work:
        with ExitStack() as stack:
            dropped = None
            if plan.keep_dropped:
                dropped = stack.enter_context(open_packed(work / "dropped.tsv.gz"))
            waiting = stack.enter_context((work / "waiting.tsv").open("w+b"))
            survivors = _judge_alone(job, report, waiting, dropped, advance)
            judged = survivors.judge(plan.limits, held_out)
            part_K = _deal(job, report, survivors, judged)
            waiting.seek(0)
            _write(work, waiting, part_K, _Drops(report, survivors, judged, dropped))
        (work / REPORT).write_text(report.as_json(), encoding="utf-8")
        (work / "waiting.tsv").unlink()
    return report


def _judge_alone(
    job: Job,
    report: Report,
    waiting: BinaryIO,
    dropped: BinaryIO | None,
    advance: Advance,
) -> Survivors:
    """Clean every chunk; what is kept of it waits in a file."""
    chunks = []
    for chunk, cleaned in clean_chunks(read_chunks(job.sources), job.plan, job.workers):
        report.add(cleaned)
        waiting.write(cleaned.kept)
        if dropped:
            dropped.write(cleaned.dropped_lines)
        chunks.append(cleaned.without_text())
        advance(cleaned.read, chunk.position)
    return Survivors(chunks)


def _held_out(paths: Sequence[Path]) -> Keys:
    """The sentences of held-out files, whatever column they stand in, mended like all others."""
    keys = [digests([])]
    for chunk in read_chunks([Source(path) for path in paths]):
        columns = chunk.left.decode(errors="replace").replace("\n", "\t").split("\t")
        keys.append(digests(normal_forms([mend(column)[0] for column in columns if column])))
    return np.concatenate(keys)


def _deal(job: Job, report: Report, survivors: Survivors, judged: Judged) -> NDArray[np.int8]:
    """The part of every pair that is kept, -1 for the others; sizes go into the report."""
    kept = np.flatnonzero(judged.kept)
    usual = min(_USUAL_PAIRS, int(len(kept) * _USUAL_SHARE))
    sizes = tuple(usual if wanted is None else wanted for wanted in (job.dev, job.test))
    source, target = survivors.source_K[kept], survivors.target_K[kept]
    dealt = deal(source, target, (sizes[0], sizes[1]), job.seed)
    for place, (name, wanted) in enumerate(zip(PARTS, (None, *sizes), strict=True)):
        rows = np.flatnonzero(dealt.part_P == place)
        unique = [len(np.unique(side[rows])) for side in (source, target)]
        report.parts.append(Part(name, wanted, len(rows), *unique))
    if not report.parts[0].pairs:
        raise CorpusError("\n".join(["not one pair is left to train on", *report.lines()]))
    report.usual_ratio = judged.usual_ratio
    report.components, report.largest_component = dealt.components, dealt.largest
    part_K = np.full(len(survivors), -1, dtype=np.int8)
    part_K[kept] = dealt.part_P
    return part_K


class _Drops:
    """Tells of the pairs that were dropped when all were compared, as their text comes by."""

    def __init__(
        self, report: Report, survivors: Survivors, judged: Judged, dropped: BinaryIO | None
    ) -> None:
        self._report = report
        self._survivors = survivors
        self._rule_K = judged.rule_K
        self._dropped = dropped
        rules, counts = np.unique(judged.rule_K[~judged.kept], return_counts=True)
        for rule, count in zip(rules.tolist(), counts.tolist(), strict=True):
            report.dropped[NAMES[rule]] += count

    def pass_by(self, start: int, lines: list[bytes]) -> None:
        """Lines of pairs from number ``start`` on."""
        rule_K = self._rule_K[start : start + len(lines)]
        for at in np.flatnonzero(rule_K >= 0).tolist():
            name = NAMES[rule_K[at]]
            source, target = lines[at].decode().rstrip("\n").split("\t")
            example = Example(self._survivors.place(start + at), source, target)
            keep_first(self._report.drop_examples, name, example, self._report.examples)
            if self._dropped:
                self._dropped.write(dropped_line(name, example))


def _write(work: Path, waiting: BinaryIO, part_K: NDArray[np.int8], drops: _Drops) -> None:
    """Deal the waiting lines out to the files of their parts."""
    with ExitStack() as stack:
        files = {
            place: stack.enter_context(open_packed(work / f"{name}.tsv.gz"))
            for place, name in enumerate(PARTS)
            if (part_K == place).any()
        }
        start = 0
        while lines := list(islice(waiting, _LINES_AT_ONCE)):
            part = part_K[start : start + len(lines)]
            for place, file in files.items():
                file.write(b"".join(compress(lines, (part == place).tolist())))
            drops.pass_by(start, lines)
            start += len(lines)


def _notes(plan: Plan) -> list[str]:
    """What a user may take for checked and is not."""
    notes = []
    for side, language in (("source", plan.source_language), ("target", plan.target_language)):
        if not language:
            notes.append(
                f"language and script of the {side} side were not looked at: "
                f"name its language with --{side}-language"
            )
        elif "script" in plan.limits and scripts_of(language) is None:
            notes.append(f"the script of {language!r} is not known, so it was not looked at")
    return notes
