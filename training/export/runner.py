"""Exported graphs in the serving engine, before they are a bundle."""

from __future__ import annotations

from dataclasses import dataclass

from service.bundle import Manifest, Shortlist, Tokenizer
from service.decoding import Engine
from service.decoding.session import OnnxStepper
from service.translation import Translator
from training.export.graphs import DECODER_FILE, ENCODER_FILE

__all__ = ["Candidate"]


@dataclass(frozen=True)
class Candidate:
    """A bundle that is not published yet: its manifest (``files`` left empty) and its graphs."""

    manifest: Manifest
    tokenizer: Tokenizer
    graphs: dict[str, bytes]
    threads: int
    shortlist: Shortlist | None = None

    def stepper(self) -> OnnxStepper:
        """The graphs, ready to run; names, types and shapes are checked against the manifest.

        Raises:
            BundleError: with everything that does not agree.
        """
        return OnnxStepper(
            self.manifest,
            self.graphs[ENCODER_FILE],
            self.graphs[DECODER_FILE],
            threads=self.threads,
            shortlist=self.shortlist,
        )

    def engine(self) -> Engine:
        """An engine that decodes in the caller's thread."""
        return Engine(self.stepper(), name=self.manifest.name)

    def translator(self) -> Translator:
        """Text in, text out, as it will be served."""
        return Translator(self, self.engine())
