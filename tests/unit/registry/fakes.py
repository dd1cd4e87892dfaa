"""A disk whose bundles are one word each, and a loader that does as the word says."""

import shutil
import threading
from pathlib import Path
from typing import cast

from prometheus_client import CollectorRegistry

from service.bundle import BundleError, Manifest
from service.metrics import Metrics
from service.registry import GoldensFailed, Manager, Watcher
from service.translation import Translator


class FakeLoaded:
    """A version in memory that knows whether it was closed."""

    def __init__(self, word: str) -> None:
        self.manifest = cast("Manifest", f"manifest of {word}")
        self.translator = cast("Translator", f"translator of {word}")
        self.healthy = True
        self.closed = False

    def close(self, drain_seconds: float = 0.0) -> None:
        assert not self.closed, "closed twice"
        self.closed = True


class FakeLoader:
    """Loads "good", finds fault with "broken", "wrong" and "bug"; waits at `gate`, if any."""

    def __init__(self) -> None:
        self.loads: list[str] = []
        self.loaded: dict[str, FakeLoaded] = {}
        self.gate: threading.Event | None = None

    def load(self, name: str, version: int, path: Path) -> FakeLoaded:
        key = f"{name}/{version}"
        self.loads.append(key)
        if self.gate is not None:
            assert self.gate.wait(10)
        match (path / "word").read_text():
            case "broken":
                raise BundleError(path, ["is broken", "twice"])
            case "wrong":
                raise GoldensFailed(["golden 'a': is 'b'"], 5)
            case "bug":
                raise ZeroDivisionError("division by zero")
        self.loaded[key] = FakeLoaded(key)
        return self.loaded[key]


class World:
    """A directory of models and a manager whose crank is turned by hand."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.loader = FakeLoader()
        self.metrics = Metrics(CollectorRegistry())
        self.changes = 0
        self.manager = Manager(
            Watcher(root), self.loader, self.metrics.models, poll_seconds=0, on_change=self._changed
        )

    def _changed(self) -> None:
        self.changes += 1

    def publish(self, key: str, word: str = "good") -> None:
        directory = self.root / key
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "word").write_text(word)

    def remove(self, key: str) -> None:
        shutil.rmtree(self.root / key)

    def look(self, times: int = 2) -> None:
        """Turn the crank: a version that appears later settles at the second look."""
        for _time in range(times):
            self.manager.tick()

    @property
    def states(self) -> dict[str, str]:
        return {f"{each.name}/{each.version}": each.state.value for each in self.manager.list()}

    def serving(self, name: str) -> int:
        with self.manager.acquire(name) as held:
            return held.version

    def value(self, metric: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(metric, labels)
