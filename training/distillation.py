"""Sequence-level distillation: a small model learns from what a large one says (Kim & Rush 2016).

The teacher, any published bundle, an ensemble too, translates the sources of a recipe's training
part with its beam, in the engine that serves it. The pupil's recipe trains on what comes out.

    OUT.partial   a line for each source that is done, in the order of the corpus
    OUT.json      what decides these lines; whoever goes on must want the same
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sacrebleu.metrics import CHRF

from service.bundle import open_bundle
from service.decoding import Engine
from service.decoding.session import OnnxStepper
from service.translation import TranslateOptions, Translation, Translator
from training.config import DataConfig, Recipe
from training.data.cleaning.output import open_packed
from training.data.corpus import CorpusError, Pair, Reference, group_references

__all__ = ["Distillation", "distill"]

_GROUP = 512  # sources in the engine at once; they are written together
_SECONDS = 30.0  # between words about how far it is


@dataclass(frozen=True, kw_only=True)
class Distillation:
    """What is wanted of a teacher."""

    teacher: Path  # a version directory
    out: Path
    beam: int | None = None  # None: as the teacher's manifest says
    similar: bool = False  # of the whole beam the hypothesis most like a reference, not the best
    mixed: bool = False  # the original pairs come after
    threads: int = 1


def distill(
    wanted: Distillation, recipe: Recipe, pairs: Sequence[Pair], say: Callable[[str], None]
) -> list[Path]:
    """Translate the sources of ``pairs``, each once; a call that was cut short goes on where it
    was.

    Returns:
        The files that ``[data]`` of the pupil's recipe names as ``train``, and for parallel text as
        ``train_target``; gzip if ``out`` ends in ``.gz``.

    Raises:
        BundleError: the teacher is none. CorpusError: what lies at ``out`` comes from another
        teacher or corpus.
    """
    references = group_references(list(pairs))
    translate = _teacher(wanted)
    partial = wanted.out.with_name(f"{wanted.out.name}.partial")
    done = _done(wanted, recipe, len(references), partial)
    if done:
        say(f"going on after {done} of {len(references)} sources")
    started, spoken = time.monotonic(), time.monotonic()
    with partial.open("a", encoding="utf-8") as file:
        for start in range(done, len(references), _GROUP):
            group = references[start : start + _GROUP]
            outputs = translate([entry.source for entry in group])
            file.writelines(
                f"{entry.source}\t{_chosen(output, entry, similar=wanted.similar)}\n"
                for entry, output in zip(group, outputs, strict=True)
            )
            file.flush()
            if time.monotonic() - spoken > _SECONDS:
                spoken = time.monotonic()
                rate = (start + len(group) - done) / (spoken - started)
                left = (len(references) - start - len(group)) / rate / 60
                say(f"{start + len(group)} of {len(references)}, {rate:.0f}/s, {left:.0f} min left")
    made = _distilled(partial, say)
    return _write(wanted.out, recipe, itertools.chain(made, pairs if wanted.mixed else ()))


def _teacher(wanted: Distillation) -> Callable[[Sequence[str]], list[Translation]]:
    bundle = open_bundle(wanted.teacher)
    engine = Engine(OnnxStepper.from_bundle(bundle, threads=wanted.threads))
    translator = Translator(bundle, engine)
    beam = wanted.beam or bundle.manifest.decoding.beam
    options = TranslateOptions(
        beam=beam, n_best=beam if wanted.similar else 1, split_sentences=False
    )
    return lambda texts: translator.translate_now(texts, options)


def _chosen(output: Translation, entry: Reference, *, similar: bool) -> str:
    texts = [" ".join(each.text.split()) for each in output.hypotheses]
    if not similar:
        return texts[0]
    scorer = CHRF()
    # The best of equals is the one that the teacher likes best: they come in that order.
    return max(texts, key=lambda text: scorer.sentence_score(text, list(entry.targets)).score)


def _done(wanted: Distillation, recipe: Recipe, sources: int, partial: Path) -> int:
    """How many lines are there already, the last one whole."""
    wanted.out.parent.mkdir(parents=True, exist_ok=True)
    manifest = (wanted.teacher / "manifest.json").read_text(encoding="utf-8")
    facts = {
        "teacher": json.loads(manifest),
        "beam": wanted.beam,
        "similar": wanted.similar,
        "data": [recipe.data.train, recipe.data.train_target],
        "sources": sources,
    }
    beside = wanted.out.with_name(f"{wanted.out.name}.json")
    if not partial.exists():
        beside.write_text(json.dumps(facts), encoding="utf-8")
        return 0
    if not beside.exists() or json.loads(beside.read_text(encoding="utf-8")) != facts:
        raise CorpusError(
            f"{partial}: begun with another teacher, corpus or options; delete it to start afresh"
        )
    whole = partial.read_bytes().rpartition(b"\n")
    partial.write_bytes(whole[0] + whole[1])
    return whole[0].count(b"\n") + len(whole[1])


def _distilled(partial: Path, say: Callable[[str], None]) -> Iterator[Pair]:
    empty = 0
    for line in partial.read_text(encoding="utf-8").split("\n")[:-1]:
        source, target = line.split("\t")
        if target:
            yield Pair(source, target)
        else:
            empty += 1
    if empty:
        say(f"{empty} sources left out: the teacher said nothing")


def _write(out: Path, recipe: Recipe, pairs: Iterator[Pair]) -> list[Path]:
    """The pairs as the recipe's ``[data]`` would read them."""
    config = recipe.data
    if config.kind == "parallel":
        languages = recipe.source_language, recipe.target_language
        written = [_of_language(out, language) for language in languages]
        listed = list(pairs)
        for side, path in enumerate(written):
            _write_lines(path, (f"{pair[side]}\n" for pair in listed))
    else:
        written = [out]
        _write_lines(out, (_line(pair, config) for pair in pairs))
    for name in (f"{out.name}.partial", f"{out.name}.json"):
        out.with_name(name).unlink()
    return written


def _of_language(out: Path, language: str) -> Path:
    """OUT.<language>, or OUT.<language>.gz of an OUT.gz."""
    if out.suffix == ".gz":
        return out.with_name(f"{out.stem}.{language}.gz")
    return out.with_name(f"{out.name}.{language}")


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    """As gzip where the name says so: whoever reads a corpus goes by it too."""
    opened = open_packed(path) if path.suffix == ".gz" else path.open("wb")
    with opened as file:
        file.writelines(line.encode("utf-8") for line in lines)


def _line(pair: Pair, config: DataConfig) -> str:
    columns = [""] * (max(config.source_column, config.target_column) + 1)
    columns[config.source_column], columns[config.target_column] = pair
    return "\t".join(columns) + "\n"
