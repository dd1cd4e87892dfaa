"""Parley in this process: one bundle, one stepper, and the engines that the measures want."""

import os
import time
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path

from service.bundle import Bundle, open_bundle
from service.decoding import DecodeRequest, Engine, EngineLimits, StepReport
from service.decoding.session import OnnxStepper
from service.translation import TranslateOptions, Translator

LIMITS = EngineLimits(max_queue=100_000)


class Subject:
    """A bundle and a stepper on it, with so many threads."""

    def __init__(self, path: Path, *, threads: int = 1) -> None:
        self.bundle: Bundle = open_bundle(path)
        self.stepper = OnnxStepper.from_bundle(self.bundle, threads=threads)

    def engine(
        self, limits: EngineLimits = LIMITS, reports: list[StepReport] | None = None
    ) -> Engine:
        """A new engine on the stepper; the one before it must have nothing left to do."""
        return Engine(self.stepper, limits, on_step=None if reports is None else reports.append)

    def translator(self) -> Translator:
        """Text to text, on an engine that runs in the caller's thread."""
        return Translator(self.bundle, self.engine())

    def request(self, source: Sequence[int], *, length: int, beam: int = 1) -> DecodeRequest:
        """A source (ids, end mark included) that gets exactly `length` target tokens."""
        defaults = self.bundle.manifest.decoding
        return DecodeRequest(
            source=tuple(source),
            beam=beam,
            min_length=length,
            max_length=length,
            length_normalisation=defaults.length_normalisation,
            length_penalty=defaults.length_penalty,
        )

    def encode(self, text: str) -> list[int]:
        """The ids of a text, end mark included."""
        return [*self.bundle.tokenizer.encode(text), self.bundle.manifest.special_ids.eos]


def exactly(length: int, beam: int = 1) -> TranslateOptions:
    """Options under which every sentence gets exactly `length` tokens."""
    return TranslateOptions(beam=beam, min_length=length, max_length=length)


def seconds(work: object) -> float:
    """How long a call without arguments takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


@contextmanager
def on_core(core: int):
    """Keep this thread on one core, and give it back all of them afterwards."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
