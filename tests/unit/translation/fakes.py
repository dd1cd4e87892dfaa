"""A model whose translation anybody can foretell: it spells every sentence backwards."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from service.bundle import Bundle, Limits, Manifest, open_bundle
from service.decoding import DecodeRequest, DecodeResult, FinishReason, Hypothesis
from service.errors import ParleyError

FROZEN = Path(__file__).parents[2] / "fixtures" / "bundles" / "format-1" / "reverse" / "1"


@cache
def frozen() -> Bundle:
    """The frozen bundle: a character table, 64 source tokens, attention."""
    return open_bundle(FROZEN)


def manifest(
    *,
    name: str = "reverse",
    source: str = "de",
    target: str = "en",
    task: str = "translation",
    max_source_tokens: int = 64,
    attention: bool = True,
) -> Manifest:
    """The manifest of the frozen bundle, made to measure."""
    given = frozen().manifest
    decoder = given.graphs.decoder
    if not attention:
        kept = tuple(each for each in decoder.outputs if each.name != "attention_RS")
        decoder = replace(decoder, outputs=kept)
    return replace(
        given,
        name=name,
        source_language=source,
        target_language=target,
        task=task,
        limits=Limits(max_source_tokens=max_source_tokens, max_target_tokens=80),
        graphs=replace(given.graphs, decoder=decoder),
    )


def reversed_spelling(request: DecodeRequest) -> DecodeResult:
    """`n_best` hypotheses: the source backwards, each after the first without one more token."""
    tokens = request.source[-2::-1]
    hypotheses = []
    for rank in range(request.n_best):
        kept = tokens[: len(tokens) - rank]
        log_probs = (-0.1,) * len(kept) + (-0.5 * (rank + 1),)
        hypotheses.append(
            Hypothesis(
                tokens=kept,
                log_prob=sum(log_probs),
                score=-1.0 - rank,
                token_log_probs=log_probs,
                alignment=tuple(range(len(tokens) - 1, rank - 1, -1)) if request.alignments else (),
                finish_reason=FinishReason.STOP,
            )
        )
    return DecodeResult(
        hypotheses=tuple(hypotheses),
        steps=len(tokens) + 1,
        queue_seconds=0.001 * len(tokens),
        decode_seconds=0.5,
        first_token_seconds=0.25,
    )


@dataclass
class FakeEngine:
    """Answers at once, keeping what it was asked; `refuse` is raised instead when it is set."""

    answer: Callable[[DecodeRequest], DecodeResult] = reversed_spelling
    refuse: ParleyError | None = None
    requests: list[DecodeRequest] = field(default_factory=list)

    def submit(self, request: DecodeRequest) -> Future[DecodeResult]:
        self.requests.append(request)
        if self.refuse is not None:
            raise self.refuse
        future: Future[DecodeResult] = Future()
        future.set_result(self.answer(request))
        return future

    def decode(self, requests: Sequence[DecodeRequest]) -> list[DecodeResult]:
        return [self.submit(request).result() for request in requests]


class PatientEngine(FakeEngine):
    """Never answers; its futures can be looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.futures: list[Future[DecodeResult]] = []

    def submit(self, request: DecodeRequest) -> Future[DecodeResult]:
        future: Future[DecodeResult] = Future()
        self.requests.append(request)
        self.futures.append(future)
        return future


@dataclass(frozen=True)
class FakeModel:
    """What a translator needs of a bundle."""

    manifest: Manifest
    tokenizer: object = field(default_factory=lambda: frozen().tokenizer)
