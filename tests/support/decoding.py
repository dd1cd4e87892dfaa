"""Models that are cheap and arbitrary, and the searches over them done the slow and obvious way."""

import functools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import permutations

import numpy as np

from service.decoding import (
    DecodeRequest,
    DecodeResult,
    Engine,
    EngineLimits,
    Phrase,
    Sampling,
    Tokens,
)
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


def spellings(phrase: Phrase) -> list[Tokens]:
    """Every way to spell a phrase, one by one."""

    def onward(place: int) -> Iterator[Tokens]:
        if place == len(phrase.edges):
            yield ()
            return
        for token, there in phrase.edges[place]:
            for rest in onward(there):
                yield (token, *rest)

    return list(onward(0))


def permitted(
    script: Script, request: DecodeRequest, said: Tokens
) -> list[tuple[int, float, float]]:
    """(token, log-probability, gain) of all that may follow `said`, by id.

    The gain is what counts in search and score.
    """
    log_probs = [float(each) for each in script(request.source, said)]
    if len(said) < len(request.target_prefix):
        forced = request.target_prefix[len(said)]
        return [(forced, log_probs[forced], log_probs[forced])]
    phrases = [spelling for each in request.forbidden_phrases for spelling in spellings(each)]
    n = request.no_repeat_ngram
    found = []
    for token, log_prob in enumerate(log_probs):
        text = (*said, token)
        if token == EOS and len(said) < request.min_length:
            continue
        if any(text[-len(each) :] == each for each in phrases):
            continue
        if n and text[-n:] in [said[i : i + n] for i in range(len(said) - n + 1)]:
            continue
        gain = log_prob * request.repetition_penalty if token in said else log_prob
        found.append((token, log_prob, gain))
    return found


def score(
    request: DecodeRequest, log_probs: Sequence[float], attention: Sequence[np.ndarray]
) -> float:
    """Equation 14 of Wu et al. 2016, symbol by symbol, and a reward for each symbol."""
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
    reward = request.token_reward * length
    return sum(map(float, log_probs)) / divisor + request.coverage_penalty * bonus + reward


def every_hypothesis(
    script: Script, attention: Script, request: DecodeRequest
) -> list[tuple[float, Tokens]]:
    """All that the model can say within the request's lengths, with its score, the best first."""

    def extend(
        prefix: Tokens, log_probs: list[float], seen: list[np.ndarray]
    ) -> Iterator[tuple[float, Tokens]]:
        weights = [*seen, np.asarray(attention(request.source, prefix))]
        for token, _, gain in permitted(script, request, prefix):
            so_far = [*log_probs, gain + look(request, prefix, token, weights[-1])]
            if token == EOS:
                yield score(request, so_far, weights), prefix
            elif len(prefix) + 1 == request.max_length:
                yield score(request, so_far, weights), (*prefix, token)
            else:
                yield from extend((*prefix, token), so_far, weights)

    found = sorted(extend((), [], []), key=lambda each: -each[0])
    return [(worth, tokens) for worth, tokens in found if stage(request, tokens)[1] == 0]


def greedy(script: Script, request: DecodeRequest) -> Tokens:
    """Always the best token that is permitted, one sentence, no arrays."""
    tokens: Tokens = ()
    while len(tokens) < request.max_length:
        best, _, _ = max(permitted(script, request, tokens), key=lambda each: each[2])
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
    for length in range(request.max_length):
        ranked = []
        for total, tokens, log_probs, seen in live:
            weights = [*seen, np.asarray(attention(request.source, tokens))]
            following = permitted(script, request, tokens)
            for token, _, gain in sorted(following, key=lambda each: -each[2]):
                ranked.append((total + gain, tokens, token, [*log_probs, gain], weights))
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
        live = [each for each in live if hopeful(request, finished, each[0], length)]
    return finished


def hopeful(
    request: DecodeRequest, finished: list[tuple[float, Tokens]], total: float, length: int
) -> bool:
    """Whether a hypothesis that has just been given its token number `length` can still win."""
    if len(finished) < request.n_best:
        return True
    bound = {
        "none": 1.0,
        "average": float(request.max_length),
        "gnmt": ((5 + request.max_length) / 6) ** request.length_penalty,
    }[request.length_normalisation]
    lengths = (length + 2, request.max_length)  # of the shortest completion, the longest
    reward = max(request.token_reward * each for each in lengths)
    return total / bound > finished[-1][0] - reward


def stage(request: DecodeRequest, said: Tokens) -> tuple[int, int]:
    """How many tokens of the required phrases are said, and how few more would say the rest."""
    whole = begun = 0
    missing = []
    for phrase in set(request.required_phrases):
        if any(phrase != other and has(other, phrase) for other in request.required_phrases):
            continue  # it is said with the other
        if has(said, phrase):
            whole += len(phrase)
        else:
            missing.append(phrase)
            ends = [n for n in range(len(phrase)) if said[len(said) - n :] == phrase[:n]]
            begun = max(begun, *ends, 0)
    least = min(len(together(said, order)) for order in permutations(missing))
    return whole + begun, least - len(said)


def has(text: Tokens, phrase: Tokens) -> bool:
    """Whether a phrase stands in a text."""
    return any(text[i : i + len(phrase)] == phrase for i in range(len(text) - len(phrase) + 1))


def together(said: Tokens, phrases: Iterable[Tokens]) -> Tokens:
    """What is said, and the phrases in this order, each begun with the end of what stands there."""
    for phrase in phrases:
        ends = [n for n in range(len(phrase) + 1) if said[len(said) - n :] == phrase[:n]]
        said = (*said, *phrase[max(ends) :])
    return said


def look(request: DecodeRequest, said: Tokens, token: int, weights: np.ndarray) -> float:
    """What it costs to begin a phrase here: less, the more is looked at what it translates."""
    if len(said) < len(request.target_prefix):
        return 0.0
    cost, text = 0.0, (*said, token)
    places = dict(zip(request.required_phrases, request.required_sources, strict=False))
    for phrase, positions in places.items():
        if any(phrase != other and has(other, phrase) for other in places):
            continue
        whole = has(said, phrase)
        ends = [n for n in range(1, len(phrase) + 1) if text[len(text) - n :] == phrase[:n]]
        if positions and not whole and ends and max(ends) == 1:
            seen = sum(float(weights[position]) for position in positions)
            cost += math.log(min(max(seen, 1e-3), 1.0))
    return cost


def plain_fulfilment(
    script: Script, attention: Script, request: DecodeRequest
) -> list[tuple[float, Tokens]]:
    """Beam search that says the required phrases, with lists and the whole vocabulary."""
    live: list[tuple[float, Tokens, list[float], list[np.ndarray]]] = [(0.0, (), [], [])]
    finished: list[tuple[float, Tokens]] = []
    for length in range(request.max_length):
        stages: dict[int, list[tuple[float, Tokens, int, list[float], list[np.ndarray]]]] = {}
        over, dealt = [], []
        for total, tokens, gains, seen in live:
            weights = [*seen, np.asarray(attention(request.source, tokens))]
            for token, _, plain in permitted(script, request, tokens):
                gain = plain + look(request, tokens, token, weights[-1])
                said, missing = stage(request, tokens if token == EOS else (*tokens, token))
                if missing <= (0 if token == EOS else request.max_length - length - 1):
                    each = (total + gain, tokens, token, [*gains, gain], weights)
                    stages.setdefault(said, []).append(each)
        for said, ranked in stages.items():
            ranked.sort(key=lambda each: -each[0])
            over += [each for each in ranked[: request.beam] if each[2] == EOS]
            going_on = [each for each in ranked if each[2] != EOS]
            dealt += [(turn, -said, each) for turn, each in enumerate(going_on)]
        dealt.sort(key=lambda each: each[:2])
        rows = [tokens for _, tokens, _, _ in live]
        alive = [each for _, _, each in dealt[: request.beam]]
        alive.sort(key=lambda each: (-each[0], rows.index(each[1]), each[2]))
        live = [(total, (*said, token), lps, ws) for total, said, token, lps, ws in alive]
        finished += [(score(request, lps, ws), tokens) for _, tokens, _, lps, ws in over]
        if length + 1 == request.max_length:
            finished += [(score(request, lps, ws), tokens) for _, tokens, lps, ws in live]
        finished = sorted(finished, key=lambda each: -each[0])[: request.n_best]
        live = [each for each in live if hopeful(request, finished, each[0], length)]
    return finished


def plain_draws(script: Script, request: DecodeRequest) -> list[Tokens]:
    """Samples and alternatives, one after the other, token by token."""
    return [
        tokens
        for number in range(request.n_best)
        if (tokens := _plain_draw(script, request, number)) is not None
    ]


def _plain_draw(script: Script, request: DecodeRequest, number: int) -> Tokens | None:
    sampling, tokens = request.sampling, ()
    chance = iter(())
    if sampling:
        bits = np.random.Philox(key=[sampling.seed, number]).random_raw(request.max_length)
        chance = iter(int(each) // 2**11 / 2**53 for each in bits)
    while len(tokens) < request.max_length:
        ranked = sorted(permitted(script, request, tokens), key=lambda each: -each[2])
        point = next(chance, 0.0)
        if request.alternatives and len(tokens) == len(request.target_prefix):
            if number >= len(ranked):
                return None
            token = ranked[number][0]
        elif sampling:
            token = _drawn(ranked, sampling, point)
        else:
            token = ranked[0][0]
        if token == EOS:
            break
        tokens = (*tokens, token)
    return tokens


def _drawn(ranked: list[tuple[int, float, float]], sampling: Sampling, point: float) -> int:
    """The token at `point` of the way along those that are drawn from, best first."""
    ranked = ranked[: sampling.top_k]
    weights = [math.exp((gain - ranked[0][2]) / sampling.temperature) for _, _, gain in ranked]
    nucleus: list[float] = []
    while sum(nucleus) < sampling.top_p * sum(weights) and len(nucleus) < len(weights):
        nucleus.append(weights[len(nucleus)])
    passed = 0.0
    for (token, _, _), weight in zip(ranked, nucleus, strict=False):
        passed += weight
        if passed > point * sum(nucleus):
            return token
    return ranked[len(nucleus) - 1][0]


def turn_until_done(step: Callable[[], object], done: Callable[[], bool], most: int = 1000) -> None:
    """Turn a crank until something has happened."""
    for _ in range(most):
        if done():
            return
        step()
    raise AssertionError(f"still not done after {most} turns")
