"""The second part: strings to copy and to reverse. Each rung takes the same number of steps on the
same batches, and is then asked for strings of every length, also longer ones than it ever saw.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.bundle import load_tokenizer
from training.config import BatchConfig, TokenizerConfig
from training.data.batches import BatchSampler, encode_pairs
from training.data.corpus import Drops, Pair
from training.data.fitting import SPECIAL_IDS, fit_tokenizer
from training.data.strings import ANSWERS, string_pairs
from training.decode import greedy_decode
from training.lab.fitting import fit
from training.lab.maps import attention_map
from training.lab.plan import Sizes
from training.lab.reach import source_reach
from training.lab.rungs import Rung
from training.models import make_model

__all__ = ["TASKS", "StringTask", "accuracy_by_length"]

TASKS = tuple(ANSWERS)
_ROOM = 1000  # tokens: no string is dropped for its length

Ids = NDArray[np.int64]
Decode = Callable[[Sequence[Ids]], Sequence[Sequence[int]]]


class StringTask:
    """One task, its batches and its tests, which every rung gets alike."""

    def __init__(self, name: str, sizes: Sizes, seed: int) -> None:
        self.name, self.sizes, self.seed = name, sizes, seed
        made, _ = string_pairs(ANSWERS[name], (sizes.string_pairs, 0), seed, (2, sizes.longest))
        pairs = [Pair(*pair) for pair in made]
        spec, file = fit_tokenizer(TokenizerConfig(kind="characters"), pairs, seed)
        self.vocabulary = spec.vocabulary_size
        self.tokenizer = load_tokenizer(spec, SPECIAL_IDS, file)
        self.sampler = self._sampler(pairs, sizes.string_tokens)

    def measure(self, rung: Rung, tick: Callable[[], None]) -> dict[str, Any]:
        """Train a rung; its accuracies, and how far its gradients reach before and after."""
        sizes = self.sizes
        model = make_model(rung.recipe.model, self.vocabulary, self.seed)
        probe = next(self._sampler(self._tests(sizes.longest), 10**6).epoch(0))
        fresh = source_reach(model.train(), probe)
        fitted, nll = fit(
            model, self.sampler, rung.recipe.optim, SPECIAL_IDS, sizes.string_steps, tick
        )

        def decode(sources: Sequence[Ids]) -> list[list[int]]:
            # One token more than is right: a model that does not stop is wrong.
            limits = [len(source) + 1 for source in sources]
            return greedy_decode(fitted, sources, SPECIAL_IDS, limits)

        numbers = {
            "parameters": sum(p.numel() for p in model.parameters()),
            "nll": nll,
            "reach_fresh": fresh,
            "reach_trained": source_reach(fitted.requires_grad_(requires_grad=True), probe),
            **self.accuracies(decode),
        }
        if rung.attends:
            text = self._tests(min(sizes.longest, 12))[0].source
            source = np.array([*self.tokenizer.encode(text), SPECIAL_IDS.eos])
            numbers["map"] = attention_map(
                fitted, source, self.tokenizer, SPECIAL_IDS, len(source) + 1
            )
        return numbers

    def accuracies(self, decode: Decode) -> dict[str, list[float]]:
        """What ``decode`` gets right, by length."""
        tests = {}
        for length in range(2, self.sizes.beyond + 1):
            ids = [
                tuple(np.array([*self.tokenizer.encode(side), SPECIAL_IDS.eos]) for side in pair)
                for pair in self._tests(length)
            ]
            tests[length] = [source for source, _ in ids], [target for _, target in ids]
        return accuracy_by_length(decode, tests)

    def _tests(self, length: int) -> list[Pair]:
        """Strings of one length, none of which any seed trains on."""
        _, held_out = string_pairs(
            ANSWERS[self.name], (0, self.sizes.per_length), self.seed, (length, length)
        )
        return [Pair(*pair) for pair in held_out]

    def _sampler(self, pairs: list[Pair], tokens: int) -> BatchSampler:
        _, examples = encode_pairs(pairs, self.tokenizer, SPECIAL_IDS.eos, _ROOM, Drops())
        config = BatchConfig(target_tokens=tokens)
        return BatchSampler(examples, SPECIAL_IDS, config, self.seed)


def accuracy_by_length(
    decode: Decode, tests: dict[int, tuple[list[Ids], list[Ids]]]
) -> dict[str, list[float]]:
    """``exact``: the share of strings that are wholly right, in per cent. ``symbols``: that of
    symbols that stand where they should; what is missing or too much is wrong.
    """
    exact, symbols = [], []
    for sources, targets in tests.values():
        outputs = decode(sources)
        wanted = [target[:-1].tolist() for target in targets]  # outputs come without eos
        pairs = list(zip(outputs, wanted, strict=True))
        exact.append(100 * sum(list(said) == right for said, right in pairs) / len(pairs))
        hits = sum(a == b for said, right in pairs for a, b in zip(said, right, strict=False))
        places = sum(max(len(said), len(right)) for said, right in pairs)
        symbols.append(100 * hits / places)
    return {"lengths": [*map(float, tests)], "exact": exact, "symbols": symbols}
