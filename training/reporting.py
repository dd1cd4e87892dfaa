"""What a run tells: a progress bar on a terminal, plain lines elsewhere, a JSONL log, and
TensorBoard curves.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tqdm import tqdm

__all__ = ["Reporter", "Silence"]

_PLAIN_SECONDS = 30.0  # between lines when the output is not a terminal


class Reporter:
    """Speaks on stderr and writes ``<run>/log.jsonl`` and ``<run>/tensorboard``."""

    def __init__(self, run_dir: Path, *, total_steps: int, done_steps: int) -> None:
        run_dir.mkdir(parents=True, exist_ok=True)
        self._log = (run_dir / "log.jsonl").open("a", encoding="utf-8")
        self._curves = _summary_writer(run_dir / "tensorboard")
        self._bar = tqdm(
            total=total_steps,
            initial=done_steps,
            unit="step",
            disable=None,  # only on a terminal
            dynamic_ncols=True,
            smoothing=0.02,
        )
        self._last_plain = time.monotonic()

    def step(self, step: int, facts: dict[str, float], *, remaining_seconds: float) -> None:
        """Facts of one optimiser step."""
        self._bar.update(1)
        if step % 20 == 0:
            self._bar.set_postfix_str(
                f"{facts['tokens_per_second']:.0f} tok/s loss {facts['loss']:.3f}"
            )
            self._write("step", step, facts)
        if self._bar.disable and time.monotonic() - self._last_plain > _PLAIN_SECONDS:
            self._last_plain = time.monotonic()
            self.say(
                f"step {step}/{self._bar.total}  epoch {facts['epoch']:.2f}  "
                f"loss {facts['loss']:.3f}  rate {facts['rate']:.2e}  "
                f"{facts['tokens_per_second']:.0f} tokens/s  "
                f"{_duration(remaining_seconds)} left"
            )

    def evaluation(self, step: int, facts: dict[str, float], *, event: str = "evaluation") -> None:
        self._write(event, step, facts)
        self.say(f"{event}  " + "  ".join(f"{name} {value:.2f}" for name, value in facts.items()))

    def say(self, line: str) -> None:
        """One line for people, which does not tear the bar."""
        tqdm.write(line, file=sys.stderr)

    def _write(self, event: str, step: int, facts: dict[str, Any]) -> None:
        self._log.write(
            json.dumps({"event": event, "time": round(time.time(), 1), "step": step, **facts})
            + "\n"
        )
        self._log.flush()
        for name, value in facts.items():
            self._curves.add_scalar(f"{event}/{name}", value, step)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.close()
        self._curves.close()
        self._log.close()


class Silence:
    """A reporter that says nothing: for processes that train beside the first one."""

    def step(self, step: int, facts: dict[str, float], *, remaining_seconds: float) -> None:
        pass

    def evaluation(self, step: int, facts: dict[str, float], *, event: str = "evaluation") -> None:
        pass

    def say(self, line: str) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def _summary_writer(path: Path) -> Any:
    # Half a second to import, so only where it is used.
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(path))


def _duration(seconds: float) -> str:
    minutes = max(seconds, 0) / 60
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"
