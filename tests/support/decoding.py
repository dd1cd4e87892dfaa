"""Models that are cheap and arbitrary, and the searches over them done the slow and obvious way."""

import functools
import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from service.decoding import DecodeRequest, DecodeResult, Engine, EngineLimits, Tokens
from service.decoding.scripted import Script, ScriptedStepper

EOS = 2


class ManualClock:
    """A clock that stands still until it is told how late it is."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def arbitrary_model(seed: int, vocabulary: int, end: float = 0.0) -> Script:
    """Log-probabilities that depend on all of source and prefix; `end` makes texts shorter."""

    @functools.cache
    def script(source: Tokens, prefix: Tokens) -> np.ndarray:
        generator = np.random.default_rng([seed, *source, 1_000_000, *prefix])
        logits = generator.normal(0.0, 1.5, vocabulary)
        logits[EOS] += end
        return (logits - np.log(np.exp(logits).sum())).astype(np.float32)

    return script


def arbitrary_attention(seed: int) -> Script:
    """Attention weights that depend on the whole source and prefix."""

    @functools.cache
    def attention(source: Tokens, prefix: Tokens) -> np.ndarray:
        generator = np.random.default_rng([seed, *source, 2_000_000, *prefix])
        return generator.dirichlet(np.ones(len(source))).astype(np.float32)

    return attention


def arbitrary_stepper(seed: int = 0, vocabulary: int = 12, end: float = 0.0) -> ScriptedStepper:
    """A stepper over an arbitrary model."""
    return ScriptedStepper(
        arbitrary_model(seed, vocabulary, end), attention=arbitrary_attention(seed)
    )


def decode_one(stepper: ScriptedStepper, request: DecodeRequest) -> DecodeResult:
    """What a request gets alone, from an engine of its own."""
    [result] = Engine(stepper, EngineLimits()).decode([request])
    return result


def score(
    request: DecodeRequest, log_probs: Sequence[float], attention: Sequence[np.ndarray]
) -> float:
    """Equation 14 of Wu et al. 2016, symbol by symbol."""
    length = len(log_probs)
    divisor = {
        "none": 1.0,
        "average": float(length),
        "gnmt": (5 + length) ** request.length_penalty / 6**request.length_penalty,
    }[request.length_normalisation]
    bonus = 0.0
    if request.coverage_penalty:
        for position in range(len(request.source)):
            covered = sum(float(weights[position]) for weights in attention)
            bonus += math.log(min(max(covered, 1e-10), 1.0))
    return sum(map(float, log_probs)) / divisor + request.coverage_penalty * bonus


def every_hypothesis(
    script: Script, attention: Script, request: DecodeRequest
) -> list[tuple[float, Tokens]]:
    """All that the model can say within the request's lengths, with its score, the best first."""

    def extend(
        prefix: Tokens, log_probs: list[float], seen: list[np.ndarray]
    ) -> Iterator[tuple[float, Tokens]]:
        weights = [*seen, np.asarray(attention(request.source, prefix))]
        for token, log_prob in enumerate(script(request.source, prefix)):
            so_far = [*log_probs, float(log_prob)]
            if token == EOS:
                if len(prefix) >= request.min_length:
                    yield score(request, so_far, weights), prefix
            elif len(prefix) + 1 == request.max_length:
                yield score(request, so_far, weights), (*prefix, token)
            else:
                yield from extend((*prefix, token), so_far, weights)

    return sorted(extend((), [], []), key=lambda each: -each[0])


def greedy(script: Script, request: DecodeRequest) -> Tokens:
    """Always the most probable token (but no early eos), one sentence, no arrays."""
    tokens: Tokens = ()
    while len(tokens) < request.max_length:
        log_probs = list(script(request.source, tokens))
        if len(tokens) < request.min_length:
            log_probs[EOS] = -math.inf
        best = log_probs.index(max(log_probs))
        if best == EOS:
            break
        tokens = (*tokens, best)
    return tokens


def plain_beam(
    script: Script, attention: Script, request: DecodeRequest
) -> list[tuple[float, Tokens]]:
    """Beam search over one sentence with lists: the engine's definition, without its arrays."""
    live: list[tuple[float, Tokens, list[float], list[np.ndarray]]] = [(0.0, (), [], [])]
    finished: list[tuple[float, Tokens]] = []
    bound = {
        "none": 1.0,
        "average": float(request.max_length),
        "gnmt": ((5 + request.max_length) / 6) ** request.length_penalty,
    }[request.length_normalisation]
    for length in range(request.max_length):
        ranked = []
        for total, tokens, log_probs, seen in live:
            weights = [*seen, np.asarray(attention(request.source, tokens))]
            following = np.asarray(script(request.source, tokens))
            for token in np.argsort(-following, kind="stable").tolist():
                if token != EOS or length >= request.min_length:
                    log_prob = float(following[token])
                    so_far = [*log_probs, log_prob]
                    ranked.append((total + log_prob, tokens, token, so_far, weights))
        ranked = sorted(ranked, key=lambda each: -each[0])[: 2 * request.beam]
        live = []
        for rank, (total, tokens, token, log_probs, weights) in enumerate(ranked):
            if token == EOS:
                if rank < request.beam:
                    finished.append((score(request, log_probs, weights), tokens))
            elif len(live) < request.beam:
                live.append((total, (*tokens, token), log_probs, weights))
        if length + 1 == request.max_length:
            finished += [(score(request, lps, ws), tokens) for _, tokens, lps, ws in live]
        finished = sorted(finished, key=lambda each: -each[0])[: request.n_best]
        if len(finished) == request.n_best:
            live = [each for each in live if each[0] / bound > finished[-1][0]]
    return finished


def turn_until_done(step: Callable[[], object], done: Callable[[], bool], most: int = 1000) -> None:
    """Turn a crank until something has happened."""
    for _ in range(most):
        if done():
            return
        step()
    raise AssertionError(f"still not done after {most} turns")
