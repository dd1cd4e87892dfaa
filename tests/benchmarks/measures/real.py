"""Real sentences to their own ends, and what the translations are worth: BLEU beside the speed."""

import json
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from service.decoding import EngineLimits
from service.translation import TranslateOptions, Translator
from tests.benchmarks.bench import BATCH, Bench, tell, timed
from tests.benchmarks.environments import PEERS, Missing
from tests.benchmarks.machine import ROOT
from tests.benchmarks.results import Row, kind
from tests.benchmarks.subject import on_core
from tests.benchmarks.texts import batches
from tests.benchmarks.workers import Worker

_PLAN = ((1, 3), (5, 3))  # beam, how many times the peer's sentences per second are aimed at


@dataclass(frozen=True, kw_only=True, slots=True)
class _Peer:
    """How the peer translates all of the sentences, and what it makes of them (None: random)."""

    seconds: Callable[[int], float]
    hypotheses: list[str] | None
    note: str


def real_sentences(bench: Bench) -> Iterator[Row]:
    """The sentences of a file, at most 64 at a time, ours and the peer's, with BLEU of both.

    A peer whose weights are random has no ends of its own: it gets the sentences sorted by the
    length of our translations, and decodes each batch to that batch's mean length.
    """
    if bench.pairs is None:
        return
    count = min(len(bench.pairs.sources), max(2 * BATCH, round(2000 * bench.scale)))
    texts = bench.pairs.sources[:count]
    for beam, target in _PLAN:
        limits = EngineLimits(max_rows=BATCH * beam, max_queue=count)
        translator = Translator(bench.subject.bundle, bench.subject.engine(limits))
        options = TranslateOptions(beam=beam)
        # With scores, tokens are reported, end marks included: as many as there were steps.
        told = translator.translate_now(texts, TranslateOptions(beam=beam, token_scores=True))
        lengths = [len(each.hypotheses[0].tokens) for each in told]
        works = {"parley": timed(lambda _n, t=translator, o=options: t.translate_now(texts, o))}
        peer, name, note = None, "ctranslate2", ""
        try:
            worker = bench.peer("ctranslate2")
            peer, name = _peer(bench, worker, texts, lengths, beam), worker.name
            works["peer"], note = peer.seconds, peer.note
        except Missing as missing:
            note = str(missing)
        with on_core(bench.core):
            found = bench.alternate(bench.rounds(3), works)
        yield Row(
            what=f"{kind(beam)}, batch {BATCH}, {count} real sentences",
            unit="sentences/s",
            parley=count / found["parley"],
            peer=count / found["peer"] if "peer" in found else None,
            peer_name=name,
            at_least=target,
            note=note,
        )
        yield _bleu_row(bench, beam, [each.text for each in told], peer, name)


def _peer(
    bench: Bench, worker: Worker, texts: Sequence[str], lengths: list[int], beam: int
) -> _Peer:
    ours = f"mean length {sum(lengths) / len(lengths):.1f} tokens"
    model = bench.transformer
    if model.tokenizer is None:
        sources = [bench.subject.encode(text) for text in texts]
        order = sorted(range(len(sources)), key=lengths.__getitem__)
        plan = [
            ([sources[i] for i in group], round(sum(lengths[i] for i in group) / len(group)))
            for group in batches(order, BATCH)
        ]
        return _Peer(
            seconds=lambda _n: sum(
                worker.translate(batch, beam=beam, length=length) for batch, length in plan
            ),
            hypotheses=None,
            note=f"{ours}; lengths given to peer",
        )
    sources = [model.encode(text) for text in texts]
    _, targets = worker.translate_to_ends(sources, beam=beam)
    theirs = sum(len(each) + 1 for each in targets) / len(targets)  # their end marks are not told
    return _Peer(
        seconds=lambda _n: worker.translate_to_ends(sources, beam=beam)[0],
        hypotheses=[model.tokenizer.decode(each) for each in targets],
        note=f"{ours}, the peer's {theirs:.1f}",
    )


def _bleu_row(bench: Bench, beam: int, hypotheses: list[str], peer: _Peer | None, name: str) -> Row:
    references = bench.pairs.references[: len(hypotheses)]
    theirs = peer.hypotheses if peer else None
    try:
        score, note = _bleu(bench, hypotheses, references)
        their_score = _bleu(bench, theirs, references)[0] if theirs else None
    except Missing as missing:
        score, their_score, note = None, None, str(missing)
    if peer and theirs is None:
        note += "; the peer's weights are random"
    return Row(
        what=f"{kind(beam)}, BLEU of those sentences",
        unit="BLEU",
        parley=score,
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
