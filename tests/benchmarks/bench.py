"""What every measure is given: the subject, the peers, servers, cores, and how long it may take."""

import shutil
import statistics
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from tests.benchmarks import environments, workers
from tests.benchmarks.environments import Missing
from tests.benchmarks.machine import cores
from tests.benchmarks.server import Server
from tests.benchmarks.subject import Subject, seconds
from tests.benchmarks.texts import Pairs
from tests.benchmarks.transformer import SHIPPED, Transformer
from tests.benchmarks.workers import Worker

SOURCE, TARGET, BATCH = 16, 15, 64  # tokens, tokens, sentences: as in every published figure


@dataclass(kw_only=True)
class Bench:
    """One run of the benchmarks. `work` is a directory that is thrown away afterwards.

    `scale` is 1 for figures worth publishing, less for a quick look. `peers` are the names of those
    to compare with; `peer_model` is what CTranslate2 runs.
    """

    bundle: Path
    work: Path
    scale: float = 1.0
    pairs: Pairs | None = None
    peers: tuple[str, ...] = ("ctranslate2", "opennmt")
    peer_model: Path = SHIPPED
    core: int = field(default_factory=lambda: cores()[0])
    other_core: int = field(default_factory=lambda: cores()[1])
    _workers: dict[str, Worker | str] = field(default_factory=dict)

    @cached_property
    def subject(self) -> Subject:
        """Parley in this process, with one thread."""
        return Subject(self.bundle)

    def peer(self, name: str) -> Worker:
        """The peer of this name, on the measured core; raises Missing with the reason."""
        if name not in self._workers:
            try:
                self._workers[name] = self._start(name)
            except Missing as missing:
                self._workers[name] = f"{name} {missing}"
        found = self._workers[name]
        if isinstance(found, str):
            raise Missing(found)
        return found

    @cached_property
    def transformer(self) -> Transformer:
        """What CTranslate2 runs; raises Missing with the reason."""
        if "ctranslate2" not in self.peers:
            raise Missing("not asked for")
        return Transformer(self.peer_model)

    def _start(self, name: str) -> Worker:
        if name not in self.peers:
            raise Missing("not asked for")
        if name == "opennmt":
            return workers.opennmt([self.core])
        return workers.ctranslate2([self.core], self.transformer.directory)

    def tools(self) -> Path:
        """A Python that can score and draw; raises Missing where nothing is to be installed."""
        if not self.peers:
            raise Missing("not asked for: --no-peers installs nothing")
        return environments.tools()

    def rounds(self, full: int) -> int:
        """How often to repeat what is repeated `full` times at full scale; at least twice."""
        return max(2, round(full * self.scale))

    def alternate(self, rounds: int, works: dict[str, Callable[[int], float]]) -> dict[str, float]:
        """Median seconds of each of `works`, taking turns: what disturbs one disturbs all.

        Each is called with the number of the round, and once before it counts.
        """
        found: dict[str, list[float]] = {name: [] for name in works}
        for work in works.values():
            work(0)
        for number in range(rounds):
            for name, work in works.items():
                found[name].append(work(number))
        return {name: statistics.median(values) for name, values in found.items()}

    @contextmanager
    def server(self, **flags: object) -> Iterator[Server]:
        """A ready server on the measured core, with one thread unless told otherwise."""
        with Server.running(self.models, self.core, **{"threads": 1, **flags}) as server:
            yield server

    @cached_property
    def models(self) -> Path:
        """A directory of models that holds the bundle alone."""
        root = self.work / "models"
        shutil.copytree(self.bundle, root / self.bundle.parent.name / self.bundle.name)
        return root

    def close(self) -> None:
        """End the peers."""
        for worker in self._workers.values():
            if isinstance(worker, Worker):
                worker.close()


def tell(text: str) -> None:
    """Say what is going on, on standard error."""
    print(f"  {text}", file=sys.stderr, flush=True)


def settled(work: Callable[[int], float]) -> Callable[[int], float]:
    """The same work, done once more before it counts: caches are then its own again.

    Whoever serves decodes batch after batch, and does not share a core with a peer.
    """

    def again(number: int) -> float:
        work(number)
        return work(number)

    return again


def timed(work: Callable[[int], object]) -> Callable[[int], float]:
    """The same work, returning how long it took."""
    return lambda number: seconds(lambda: work(number))
