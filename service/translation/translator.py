"""The translator of one model version.

    text -> segments -> token ids -> requests -> (engine) -> results -> hypotheses -> text

Everything but the engine is plain values: `_prepare` and `_assemble` are the two halves, and the
two ways to call the engine (awaited, or here and now) are thin shells around them.
"""

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Protocol

from service.bundle import Manifest, Tokenizer
from service.bundle.graphs import ATTENTION, PROBES
from service.decoding import DecodeOptions, DecodeRequest, DecodeResult, Tokens
from service.errors import InvalidArgument
from service.translation.assembly import Part, assemble
from service.translation.options import TranslateOptions
from service.translation.phrases import Glossary, Speller
from service.translation.result import Translation
from service.translation.segments import Segments, split
from service.translation.window import Window, forwarded, outcome

__all__ = ["DecodingEngine", "TranslationModel", "Translator"]

_PLANS = 64
_PATTERNS = 1024


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


@dataclass(frozen=True, slots=True, eq=False)  # a plan is itself alone: a key that costs nothing
class _Plan:
    """What options come to on this model, whatever the text; `required` in every sentence."""

    decoding: DecodeOptions
    required: tuple[Tokens, ...]
    glossary: Glossary


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
        self._speller = Speller(bundle.manifest, bundle.tokenizer)
        # Callers tend to send the same options with every text.
        self._plan = lru_cache(maxsize=_PLANS)(self._planned)
        # Requests differ in little but their sources: what goes for one length is checked once.
        self._pattern = lru_cache(maxsize=_PATTERNS)(self._patterned)

    async def translate(
        self,
        text: str,
        options: TranslateOptions,
        window: Window | None = None,
        *,
        deadline: float | None = None,
    ) -> Translation:
        """Translate one text; cancelling the call takes its sentences out of the engine.

        Past the `deadline`, in seconds of `time.monotonic`, the work is stopped. Calls that share a
        `window` share its places: give one to the texts of one request.
        Raises InvalidArgument (the field is named as in TranslateOptions), Overloaded,
        DeadlineExceeded, Unavailable.
        """
        if window is None:
            prepared = self._prepare(text, options, deadline)
            if len(prepared.requests) == 1 and (lone := prepared.requests[0]) is not None:
                result = await outcome(forwarded(self._engine.submit(lone)))
                return self._assemble(prepared, options, iter((result,)))
            window = Window()
        futures: list[asyncio.Future[DecodeResult]] = []
        try:
            async with window.turn:
                await asyncio.sleep(0)  # to prepare a text takes a moment: let others go first
                prepared = self._prepare(text, options, deadline)
                for request in filter(None, prepared.requests):
                    futures.append(  # noqa: PERF401 - if one fails, those before it are known
                        await window.begin(partial(self._engine.submit, request))
                    )
            results = [await outcome(future) for future in futures]
        except BaseException:
            for future in futures:
                future.cancel()
            raise
        return self._assemble(prepared, options, iter(results))

    def translate_now(self, texts: Sequence[str], options: TranslateOptions) -> list[Translation]:
        """The same for tools and tests: in the caller's thread, all texts in one batch."""
        prepared = [self._prepare(text, options, None) for text in texts]
        wanted = [request for each in prepared for request in each.requests if request]
        results = iter(self._engine.decode(wanted))
        return [self._assemble(each, options, results) for each in prepared]

    def _planned(self, options: TranslateOptions) -> _Plan:
        self._check_model(options)
        speller = self._speller
        return _Plan(
            decoding=options.decoding(
                forbidden=speller.phrases("forbidden_phrases", options.forbidden_phrases),
                prefix=speller.prefix("target_prefix", options.target_prefix),
            ),
            required=speller.all_required("required_phrases", options.required_phrases),
            glossary=Glossary(options.terminology, speller, self._manifest.source_language),
        )

    def _prepare(self, text: str, options: TranslateOptions, deadline: float | None) -> _Prepared:
        manifest, plan = self._manifest, self._plan(options)
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
        _check_single(segments, options)

        requests = tuple(
            self._request(sentence, encoded[sentence], plan, deadline)
            for sentence in segments.sentences
        )
        return _Prepared(segments, requests)

    def _check_model(self, options: TranslateOptions) -> None:
        """Refuse what this model's graphs have no means for."""
        manifest, decoder = self._manifest, self._manifest.graphs.decoder
        if not any(output.name == ATTENTION for output in decoder.outputs):
            for field in ("alignments", "soft_alignments", "coverage_penalty"):
                if getattr(options, field):
                    raise InvalidArgument(
                        field, f"needs attention, which model '{manifest.name}' does not have"
                    )
        if not any(each.name == PROBES for each in decoder.inputs):
            for field in ("target_prefix", "required_phrases", "terminology"):
                if getattr(options, field):
                    raise InvalidArgument(
                        field,
                        f"needs a model that can be asked for given tokens (input {PROBES}), "
                        f"which '{manifest.name}' cannot; export it again",
                    )
        for field in ("required_phrases", "terminology"):
            if getattr(options, field) and (options.alternatives or options.sampling):
                raise InvalidArgument(
                    field, "needs a beam, which neither samples nor alternatives have"
                )

    def _request(
        self, sentence: str, ids: Sequence[int], plan: _Plan, deadline: float | None
    ) -> DecodeRequest | None:
        if not ids:  # nothing but invisible characters: there is nothing to translate
            return None
        source = (*ids, self._manifest.special_ids.eos)
        required = dict.fromkeys(plan.required, ()) | plan.glossary.required(sentence, ids)
        if not required and plan.decoding.sampling is None:  # with it, seeds may differ
            return self._pattern(plan, len(source)).like(source, deadline)
        asked = replace(
            plan.decoding,
            required_phrases=tuple(required),
            required_sources=tuple(required.values()),
        )
        return self._resolved(asked, source, deadline)

    def _patterned(self, plan: _Plan, length: int) -> DecodeRequest:
        return self._resolved(plan.decoding, (self._manifest.special_ids.eos,) * length, None)

    def _resolved(
        self, options: DecodeOptions, source: Tokens, deadline: float | None
    ) -> DecodeRequest:
        manifest = self._manifest
        return options.resolve(source, manifest.decoding, manifest.limits, deadline=deadline)

    def _assemble(
        self, prepared: _Prepared, options: TranslateOptions, results: Iterator[DecodeResult]
    ) -> Translation:
        """The translation of a text; takes from `results` as many as it has requests."""
        parts = []
        for text, request in zip(prepared.segments.sentences, prepared.requests, strict=True):
            if request is None:
                parts.append(Part.untouched(text))
                continue
            part = Part.decoded(
                next(results),
                self._tokenizer,
                source=request.source if options.detailed else (),
                eos=self._manifest.special_ids.eos,
            )
            parts.append(part)
        return assemble(
            prepared.segments,
            parts,
            n_best=options.n_best,
            target_language=self._manifest.target_language,
        )


def _check_single(segments: Segments, options: TranslateOptions) -> None:
    """Refuse what has a meaning for one sentence only when there are several."""
    sentences = len(segments.sentences)
    for field in ("target_prefix", "required_phrases", "alternatives"):
        if sentences > 1 and getattr(options, field):
            raise InvalidArgument(
                field,
                f"is for a single sentence; the text has {sentences}. Send one, "
                "or set split_sentences to false.",
            )
