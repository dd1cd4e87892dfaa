"""Text to text in this process: sentences a second against peers that get ready-made tokens."""

import json
import subprocess
from collections.abc import Iterator

from service.decoding import EngineLimits
from service.translation import TranslateOptions, Translator
from tests.benchmarks.bench import BATCH, SOURCE, TARGET, Bench, settled, tell, timed
from tests.benchmarks.machine import ROOT
from tests.benchmarks.results import Row
from tests.benchmarks.subject import exactly, on_core
from tests.benchmarks.texts import batches, texts_of
from tests.benchmarks.workers import PEERS, Missing, Worker

# (beam, rounds, how many times the sentences per second of each peer are aimed at)
PLAN = ((1, 41, {"ctranslate2": 3, "opennmt": 9}), (5, 21, {"ctranslate2": 3, "opennmt": 6}))
_BATCHES = 8


def fixed_lengths(bench: Bench) -> Iterator[Row]:
    """Batches of 64 sentences of 16 source tokens, exactly 15 target tokens each."""
    subject, translator = bench.subject, bench.subject.translator()
    texts = list(batches(texts_of(subject.bundle.tokenizer, SOURCE, _BATCHES * BATCH), BATCH))
    sources = [[subject.encode(text) for text in batch] for batch in texts]
    for beam, rounds, targets in PLAN:
        options = exactly(TARGET, beam)
        works = {
            "parley": timed(lambda n, o=options: translator.translate_now(texts[n % _BATCHES], o))
        }
        reasons: dict[str, str] = {}
        names: dict[str, str] = {}
        for peer in targets:
            try:
                worker = bench.peer(peer)
            except Missing as missing:
                reasons[peer] = str(missing)
                continue
            names[peer] = worker.name
            works[peer] = _peer_on(worker, sources, beam)
        with on_core(bench.core):
            turns = {name: settled(work) for name, work in works.items()}
            found = bench.alternate(bench.rounds(rounds), turns)
        for peer, target in targets.items():
            yield Row(
                what=f"{_kind(beam)}, batch {BATCH}, text to text",
                unit="sentences/s",
                parley=BATCH / found["parley"],
                peer=BATCH / found[peer] if peer in found else None,
                peer_name=names.get(peer, peer),
                at_least=target,
                note=reasons.get(peer, ""),
            )


def real_sentences(bench: Bench) -> Iterator[Row]:
    """The sentences of a file, to their own ends, with BLEU.

    The peer's weights are random, so it has no ends of its own: it gets the sentences sorted by the
    length of our translations, and decodes each batch to that batch's mean length. That is kinder
    to it than its own sentences of different lengths would be.
    """
    if bench.pairs is None:
        return
    subject, pairs = bench.subject, bench.pairs
    count = min(len(pairs.sources), max(2 * BATCH, round(2000 * bench.scale)))
    texts = pairs.sources[:count]
    for beam, target in ((1, 3), (5, 3)):
        limits = EngineLimits(max_rows=BATCH * beam, max_queue=count)
        translator = Translator(subject.bundle, subject.engine(limits))
        options = TranslateOptions(beam=beam)
        # With scores, tokens are reported, end marks included: as many as there were steps.
        detailed = TranslateOptions(beam=beam, token_scores=True)
        told = translator.translate_now(texts, detailed)
        hypotheses = [each.text for each in told]
        lengths = [len(each.hypotheses[0].tokens) for each in told]
        works = {"parley": timed(lambda _n, t=translator, o=options: t.translate_now(texts, o))}
        name, reason = "ctranslate2", ""
        try:
            worker = bench.peer("ctranslate2")
            name = worker.name
            sources = [subject.encode(text) for text in texts]
            works["peer"] = _peer_on_lengths(worker, sources, lengths, beam)
        except Missing as missing:
            reason = str(missing)
        with on_core(bench.core):
            found = bench.alternate(bench.rounds(3), works)
        yield Row(
            what=f"{_kind(beam)}, batch {BATCH}, {count} real sentences",
            unit="sentences/s",
            parley=count / found["parley"],
            peer=count / found["peer"] if "peer" in found else None,
            peer_name=name,
            at_least=target,
            note=reason or f"mean length {sum(lengths) / count:.1f} tokens; lengths given to peer",
        )
        try:
            score, signature = _bleu(bench, hypotheses, pairs.references[:count])
        except Missing as missing:
            score, signature = None, str(missing)
        yield Row(
            what=f"{_kind(beam)}, BLEU of those sentences",
            unit="BLEU",
            parley=score,
            note=f"{signature}; the peer's weights are random",
        )


def _peer_on(worker: Worker, sources: list, beam: int):
    return lambda n: worker.translate(sources[n % len(sources)], beam=beam, length=TARGET)


def _peer_on_lengths(worker: Worker, sources: list, lengths: list[int], beam: int):
    order = sorted(range(len(sources)), key=lengths.__getitem__)
    plan = [
        ([sources[i] for i in group], round(sum(lengths[i] for i in group) / len(group)))
        for group in batches(order, BATCH)
    ]
    return lambda _n: sum(worker.translate(b, beam=beam, length=length) for b, length in plan)


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


def _kind(beam: int) -> str:
    return "greedy" if beam == 1 else f"beam {beam}"
