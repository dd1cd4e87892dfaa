"""Whoever may come to a translation service: any text, any options, and not always patient."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from service.rpc.pb.parley.v1 import translation_pb2 as pb

_NORMALISATIONS = (
    pb.LENGTH_NORMALISATION_UNSPECIFIED,
    pb.LENGTH_NORMALISATION_NONE,
    pb.LENGTH_NORMALISATION_AVERAGE,
    pb.LENGTH_NORMALISATION_GNMT,
)
_OTHERS = ("€ 18.10", "日本語", "🙂", "e\u0301", "\u00a0", "A/B", "x" * 40, "Ungefähr", "½")


@dataclass(frozen=True, kw_only=True, slots=True)
class Visitor:
    """A request, and how long whoever sent it waits.

    With a `deadline` (seconds) the server knows; who `leaves` says nothing before going.
    """

    request: pb.TranslateRequest
    deadline: float | None = None
    leaves: float | None = None

    @property
    def patient(self) -> bool:
        """Whether there must be an answer."""
        return self.deadline is None and self.leaves is None


def visitors(sentences: Sequence[str], count: int, seed: int) -> list[Visitor]:
    """So many visitors; the same for the same arguments."""
    chance = random.Random(seed)
    return [_visitor(chance, sentences) for _ in range(count)]


def _visitor(chance: random.Random, sentences: Sequence[str]) -> Visitor:
    contents = [_text(chance, sentences) for _ in range(chance.choice([1] * 9 + [3]))]
    wishes = _wishes(chance, contents[0])
    alone = bool(wishes.target_prefix or wishes.required_phrases or wishes.alternatives)
    if alone:  # these are for single sentences
        contents = contents[:1]
        wishes.split_sentences = False
    deadline = leaves = None
    match chance.randrange(7):
        case 0:
            deadline = _moment(chance)
        case 1:
            leaves = _moment(chance)
    return Visitor(
        request=pb.TranslateRequest(contents=contents, options=wishes),
        deadline=deadline,
        leaves=leaves,
    )


def _moment(chance: random.Random) -> float:
    """Seconds: anything from before the first step to after the last one, in a crowd."""
    return 10 ** chance.uniform(-3, 1)


def _text(chance: random.Random, sentences: Sequence[str]) -> str:
    """A sentence, a shuffled one, several, one without end, a word."""
    words = chance.choice(sentences).split()
    match chance.randrange(12):
        case 0:
            return " ".join(chance.choices(sentences, k=chance.randint(2, 5)))
        case 1:
            return "\n\n".join(chance.choices(sentences, k=2)) + "\n"
        case 2:
            return " ".join(chance.choice(sentences).rstrip(".?!") for _ in range(8)) + "."
        case 3:
            return chance.choice(words)
        case 4 | 5 | 6:
            chance.shuffle(words)
            return " ".join([*words, *chance.choices(_OTHERS, k=chance.choice([0, 0, 1, 2]))])
        case _:
            return " ".join(words)


def _wishes(chance: random.Random, text: str) -> pb.TranslateOptions:
    """Any options that go together."""
    options = pb.TranslateOptions(
        length_normalisation=chance.choice(_NORMALISATIONS),
        token_scores=chance.random() < 0.8,
        alignments=chance.random() < 0.4,
        soft_alignments=chance.random() < 0.2,
    )
    if chance.random() < 0.3:
        options.length_penalty = chance.choice([0.0, 0.6, 1.0, 2.0])
    if chance.random() < 0.2:
        options.coverage_penalty = chance.choice([0.1, 0.5])
    if chance.random() < 0.2:
        options.min_length = chance.choice([1, 5, 12])
    if chance.random() < 0.2:
        options.max_length = chance.choice([12, 30, 60])
    if chance.random() < 0.15:
        options.token_reward = chance.choice([-0.5, 0.3, 1.0])
    if chance.random() < 0.15:
        options.repetition_penalty = chance.choice([1.1, 1.5, 3.0])
    if chance.random() < 0.15:
        options.no_repeat_ngram = chance.choice([1, 2, 3])
    if chance.random() < 0.15:
        options.forbidden_phrases.extend(chance.sample(["the", "is", "I", "train station", "."], 2))
    if chance.random() < 0.1:
        options.target_prefix = chance.choice(["I", "The", "Well, she", "Quite unexpectedly"])
    match chance.randrange(6):
        case 0:
            _draw(chance, options)
        case 1:
            _require(chance, options, text)
        case _:
            options.beam = chance.choice([1, 1, 1, 1, 2, 3, 5, 5, 8, 12, 32])
            options.n_best = chance.randint(1, options.beam)
    return options


def _draw(chance: random.Random, options: pb.TranslateOptions) -> None:
    options.n_best = chance.choice([1, 1, 3, 8])
    options.alternatives = chance.random() < 0.4
    if not options.alternatives or chance.random() < 0.5:
        options.sampling.seed = chance.randrange(2**63)
        options.sampling.temperature = chance.choice([0.2, 0.7, 1.0, 1.5])
        options.sampling.top_k = chance.choice([1, 5, 64, 256])
        options.sampling.top_p = chance.choice([0.5, 0.9, 1.0])


def _require(chance: random.Random, options: pb.TranslateOptions, text: str) -> None:
    options.ClearField("forbidden_phrases")  # what is asked for must not be forbidden too
    if chance.random() < 0.5:
        options.beam = chance.choice([2, 5, 10, 20])
    phrases = chance.sample(["railway station", "ice cream", "grandfather", "of course", "Lake"], 2)
    if chance.random() < 0.5:
        options.required_phrases.extend(phrases[: chance.choice([1, 2])])
        return
    words = [word for each in text.split() if (word := each.strip(".,?!"))]
    for target, source in zip(phrases, chance.sample(words, min(2, len(words))), strict=False):
        options.terminology.add(source=source, target=target)
