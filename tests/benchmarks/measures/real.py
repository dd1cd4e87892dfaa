"""Real sentences to their own ends, and what the translations are worth: BLEU beside the speed."""

import json
import subprocess
from collections.abc import Iterator

from service.decoding import EngineLimits
from service.translation import TranslateOptions, Translator
from tests.benchmarks.bench import BATCH, Bench, tell, timed
from tests.benchmarks.environments import PEERS, Missing
from tests.benchmarks.machine import ROOT
from tests.benchmarks.results import Row, kind
from tests.benchmarks.subject import on_core

_PLAN = ((1, 3), (5, 3))  # beam, how many times the peer's sentences per second are aimed at


def real_sentences(bench: Bench) -> Iterator[Row]:
    """The sentences of a file, at most 64 at a time; how fast both are, and how good."""
    if bench.pairs is not None:
        count = min(len(bench.pairs.sources), max(2 * BATCH, round(2000 * bench.scale)))
        for beam, target in _PLAN:
            yield from _of_beam(bench, bench.pairs.sources[:count], beam, target)


def _of_beam(bench: Bench, texts: list[str], beam: int, target: float) -> Iterator[Row]:
    limits = EngineLimits(max_rows=BATCH * beam, max_queue=len(texts))
    translator = Translator(bench.subject.bundle, bench.subject.engine(limits))
    options = TranslateOptions(beam=beam)
    # With scores, tokens are reported, end marks included: as many as there were steps.
    told = translator.translate_now(texts, TranslateOptions(beam=beam, token_scores=True))
    works = {"parley": timed(lambda _n: translator.translate_now(texts, options))}
    name, theirs = "ctranslate2", None
    try:
        worker, model = bench.peer("ctranslate2"), bench.transformer
        sources = [model.encode(text) for text in texts]
        _, targets = worker.translate_to_ends(sources, beam=beam)
        works["peer"] = lambda _n: worker.translate_to_ends(sources, beam=beam)[0]
        name, theirs = worker.name, [model.decode(each) for each in targets]
        ours = sum(len(each.hypotheses[0].tokens) for each in told) / len(texts)
        peers = sum(len(each) + 1 for each in targets) / len(texts)  # it does not tell end marks
        note = f"mean length {ours:.1f} tokens, the peer's {peers:.1f}"
    except Missing as missing:
        note = str(missing)
    with on_core(bench.core):
        found = bench.alternate(bench.rounds(3), works)
    yield Row(
        what=f"{kind(beam)}, batch {BATCH}, {len(texts)} real sentences",
        unit="sentences/s",
        parley=len(texts) / found["parley"],
        peer=len(texts) / found["peer"] if "peer" in found else None,
        peer_name=name,
        at_least=target,
        note=note,
    )
    yield _bleu_row(bench, beam, [each.text for each in told], theirs, name)


def _bleu_row(bench: Bench, beam: int, ours: list[str], theirs: list[str] | None, name: str) -> Row:
    references = bench.pairs.references[: len(ours)]
    try:
        our_score, note = _bleu(bench, ours, references)
        their_score = _bleu(bench, theirs, references)[0] if theirs else None
    except Missing as missing:
        our_score, their_score, note = None, None, str(missing)
    return Row(
        what=f"{kind(beam)}, BLEU of those sentences",
        unit="BLEU",
        parley=our_score,
        peer=their_score,
        peer_name=name if theirs else "",
        note=note,
    )


def _bleu(bench: Bench, hypotheses: list[str], references: list[list[str]]) -> tuple[float, str]:
    """Corpus BLEU and its signature; raises Missing without sacrebleu."""
    python = bench.tools()
    tell("scoring")
    done = subprocess.run(
        [python, PEERS / "bleu.py"],
        input=json.dumps({"hypotheses": hypotheses, "references": references}),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(done.stdout)
    return told["score"], told["signature"]
