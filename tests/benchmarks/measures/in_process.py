"""Text to text in this process: sentences a second against peers that get ready-made tokens."""

from collections.abc import Iterator

from tests.benchmarks.bench import BATCH, SOURCE, TARGET, Bench, settled, timed
from tests.benchmarks.environments import Missing
from tests.benchmarks.results import Row, kind
from tests.benchmarks.subject import exactly, on_core
from tests.benchmarks.texts import batches, texts_of
from tests.benchmarks.workers import Worker

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
                what=f"{kind(beam)}, batch {BATCH}, text to text",
                unit="sentences/s",
                parley=BATCH / found["parley"],
                peer=BATCH / found[peer] if peer in found else None,
                peer_name=names.get(peer, peer),
                at_least=target,
                note=reasons.get(peer, ""),
            )


def _peer_on(worker: Worker, sources: list, beam: int):
    return lambda n: worker.translate(sources[n % len(sources)], beam=beam, length=TARGET)
