"""The translator of one model version.

    text -> segments -> token ids -> requests -> (engine) -> results -> hypotheses -> text

Everything but the engine is plain values: `_prepare` and `assemble` are the two halves, and the
two ways to call the engine (awaited, or here and now) are thin shells around them.
"""

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from service.bundle import Manifest, Tokenizer
from service.bundle.graphs import ATTENTION
from service.decoding import DecodeRequest, DecodeResult
from service.errors import InvalidArgument
from service.translation.assembly import Part, assemble
from service.translation.options import TranslateOptions
from service.translation.result import Translation
from service.translation.segments import Segments, split
from service.translation.window import Window

__all__ = ["DecodingEngine", "TranslationModel", "Translator"]


class DecodingEngine(Protocol):
    """What a translator needs of `service.decoding.Engine`."""

    def submit(self, request: DecodeRequest) -> Future[DecodeResult]:
        """Queue one sentence. Raises Overloaded when it cannot be taken."""

    def decode(self, requests: Sequence[DecodeRequest]) -> Sequence[DecodeResult]:
        """Decode these here and now, in the caller's thread."""


class TranslationModel(Protocol):
    """What a translator needs of `service.bundle.Bundle`."""

    @property
    def manifest(self) -> Manifest:
        """Languages, limits, defaults, special ids."""

    @property
    def tokenizer(self) -> Tokenizer:
        """Text to ids and back."""


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A text on its way: one request per segment, None where there is nothing to decode."""

    segments: Segments
    requests: tuple[DecodeRequest | None, ...]


class Translator:
    """Text in, text out, on one bundle and the engine that runs it."""

    def __init__(self, bundle: TranslationModel, engine: DecodingEngine) -> None:
        self._manifest = bundle.manifest
        self._tokenizer = bundle.tokenizer
        self._engine = engine

    async def translate(
        self, text: str, options: TranslateOptions, window: Window | None = None
    ) -> Translation:
        """Translate one text; cancelling the call takes its sentences out of the engine.

        Calls that share a `window` share its places: give one to the texts of one request.
        Raises InvalidArgument (the field is named as in TranslateOptions), Overloaded,
        DeadlineExceeded, Unavailable.
        """
        window = window or Window()
        prepared = self._prepare(text, options)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    None
                    if request is None
                    else group.create_task(window.run(partial(self._engine.submit, request)))
                    for request in prepared.requests
                ]
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None  # the rest is its echo, or as bad
        return self._assemble(
            prepared, options, [task.result() if task else None for task in tasks]
        )

    def translate_now(self, texts: Sequence[str], options: TranslateOptions) -> list[Translation]:
        """The same for tools and tests: in the caller's thread, all texts in one batch."""
        prepared = [self._prepare(text, options) for text in texts]
        wanted = [request for each in prepared for request in each.requests if request]
        results = iter(self._engine.decode(wanted))
        return [
            self._assemble(
                each, options, [next(results) if request else None for request in each.requests]
            )
            for each in prepared
        ]

    def _prepare(self, text: str, options: TranslateOptions) -> _Prepared:
        manifest = self._manifest
        self._check_attention(options)
        encoded: dict[str, list[int]] = {}

        def fits(segment: str) -> bool:
            encoded[segment] = ids = self._tokenizer.encode(segment)
            return len(ids) < manifest.limits.max_source_tokens  # and one for the end mark

        segments = split(
            text,
            language=manifest.source_language,
            sentences=options.split_sentences and manifest.task == "translation",
            fits=fits,
        )
        requests = tuple(self._request(encoded[each], options) for each in segments.sentences)
        return _Prepared(segments, requests)

    def _check_attention(self, options: TranslateOptions) -> None:
        if any(output.name == ATTENTION for output in self._manifest.graphs.decoder.outputs):
            return
        for field in ("alignments", "coverage_penalty"):
            if getattr(options, field):
                raise InvalidArgument(
                    field, f"needs attention, which model '{self._manifest.name}' does not have"
                )

    def _request(self, ids: Sequence[int], options: TranslateOptions) -> DecodeRequest | None:
        if not ids:  # nothing but invisible characters: there is nothing to translate
            return None
        manifest = self._manifest
        return options.decoding.resolve(
            (*ids, manifest.special_ids.eos),
            manifest.decoding,
            manifest.limits,
            deadline=options.deadline,
        )

    def _assemble(
        self,
        prepared: _Prepared,
        options: TranslateOptions,
        results: Sequence[DecodeResult | None],
    ) -> Translation:
        return assemble(
            prepared.segments,
            tuple(self._parts(prepared, options, results)),
            n_best=options.n_best,
            target_language=self._manifest.target_language,
        )

    def _parts(
        self,
        prepared: _Prepared,
        options: TranslateOptions,
        results: Sequence[DecodeResult | None],
    ) -> Iterator[Part]:
        detailed = options.token_scores or options.alignments
        for text, request, result in zip(
            prepared.segments.sentences, prepared.requests, results, strict=True
        ):
            if request is None or result is None:
                yield Part.untouched(text)
            else:
                eos = self._manifest.special_ids.eos
                source = request.source if detailed else ()
                yield Part.decoded(result, self._tokenizer, source=source, eos=eos)
