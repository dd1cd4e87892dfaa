"""Which language each of thousands of sentences is in.

The model is py3langid's: byte n-grams found by a finite automaton, naive Bayes over 139 languages
(Lui and Baldwin 2012, "langid.py", https://aclanthology.org/P12-3005). Its own loop takes one
byte of one sentence at a time; here all sentences of a block take their next byte together, which
is the same arithmetic five times as fast.

R = rows (sentences), B = bytes of all of them, F = features found, L = languages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from training.data.cleaning.scripts import primary

__all__ = ["Identifier", "Verdicts", "identifier"]

# One language by several names, or so near that a sentence often belongs to each.
_RELATED = (
    {"en", "pcm"},
    {"no", "nn", "da"},
    {"hr", "bs", "sr"},
    {"id", "ms"},
    {"zh", "wuu", "yue"},
    {"ar", "ary", "arz"},
    {"fa", "sdh"},
)
_NAMES = {"nb": "no", "iw": "he", "in": "id", "cmn": "zh", "fil": "tl"}
# How sure the identifier must be of a particular other language: one that cannot decide says
# nothing against a sentence. docs/preparing.md has the error rates.
_SURE = 0.5
_ONCE = np.float32(np.log(2))  # what naive Bayes weighs a feature with that occurs once: log(1 + 1)
_ROWS_AT_ONCE = 64  # their features times all languages stay in the processor's cache


@dataclass(frozen=True, slots=True)
class Verdicts:
    """For each sentence the likeliest language, and how probable it and the expected one are."""

    best_R: list[str]
    best_probability_R: NDArray[np.float32]
    expected_probability_R: NDArray[np.float32]

    def other(self, limit: float) -> NDArray[np.bool_]:
        """Whether a sentence is in another language than the expected one."""
        return (self.best_probability_R >= _SURE) & (self.expected_probability_R <= limit)

    def sentence(self, row: int) -> str:
        """What was found out about a sentence."""
        return (
            f"{self.best_R[row]} with {self.best_probability_R[row]:.0%}, "
            f"the expected language with {self.expected_probability_R[row]:.0%}"
        )


class Identifier:
    """Loads its model in half a second."""

    def __init__(self) -> None:
        model = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
        rows = np.asarray(model.tk_row, dtype=np.int32)
        self._languages: list[str] = list(model.nb_classes)
        # A language in two scripts has two columns, of which the first gets what both have.
        self._twins = [
            (self._languages.index(name), column)
            for column, name in enumerate(self._languages)
            if self._languages.index(name) != column
        ]
        self._next_state = np.asarray(model.tk_nextmove, dtype=np.int32)
        self._row_of_state = rows << 8  # a row of the table has a place for each byte
        self._feature_of_state = np.asarray(model.tk_output, dtype=np.int32)
        self._weights_FL = np.asarray(model.nb_ptc, dtype=np.float32)
        self._prior_L = np.asarray(model.nb_pc, dtype=np.float32)

    def knows(self, language: str) -> bool:
        return _code(language) in self._languages

    def verdicts(self, sentences: Sequence[str], expected: str) -> Verdicts:
        """What each sentence is in, where all should be in ``expected``."""
        probability_RL = self.probabilities(sentences)
        best_R = probability_RL.argmax(axis=1)
        code = _code(expected)
        related = next((each for each in _RELATED if code in each), {code})
        columns = [i for i, name in enumerate(self._languages) if name in related]
        return Verdicts(
            best_R=[self._languages[i] for i in best_R],
            best_probability_R=probability_RL.max(axis=1),
            expected_probability_R=probability_RL[:, columns].sum(axis=1),
        )

    def probabilities(self, sentences: Sequence[str]) -> NDArray[np.float32]:
        """The probability of every language for every sentence."""
        # The model was trained on text that does not shout.
        encoded = [(s.lower() if s.isupper() else s).encode() for s in sentences]
        lengths_R = np.array([len(each) for each in encoded], dtype=np.int64)
        feature_B = self._walk(np.frombuffer(b"".join(encoded), dtype=np.uint8), lengths_R)
        score_RL = self._score(feature_B, lengths_R)
        # The square root of the length keeps long sentences from being too sure: the n-grams of
        # a sentence are far from independent.
        score_RL /= np.sqrt(np.maximum(lengths_R, 1))[:, None].astype(np.float32)
        score_RL -= score_RL.max(axis=1, keepdims=True)
        probability_RL = np.exp(score_RL)
        probability_RL /= probability_RL.sum(axis=1, keepdims=True)
        for first, second in self._twins:
            probability_RL[:, first] += probability_RL[:, second]
            probability_RL[:, second] = 0
        return probability_RL

    def _walk(self, bytes_B: NDArray[np.uint8], lengths_R: NDArray[np.int64]) -> NDArray[np.int32]:
        """The feature that the automaton finds at each byte, or -1."""
        order_R = np.argsort(-lengths_R, kind="stable")  # who is done stands behind who is not
        start_R = (np.cumsum(lengths_R) - lengths_R)[order_R]
        longest = int(lengths_R.max(initial=0))
        # How many sentences have a byte number 0, 1, 2, ...
        going = np.searchsorted(-lengths_R[order_R], -np.arange(longest), side="left")
        state_R = np.zeros(len(lengths_R), dtype=np.int32)
        feature_B = np.empty(len(bytes_B), dtype=np.int32)
        for step, count in enumerate(going.tolist()):
            place = start_R[:count] + step
            state = self._next_state.take(
                self._row_of_state.take(state_R[:count]) + bytes_B.take(place)
            )
            state_R[:count] = state
            feature_B[place] = self._feature_of_state.take(state)
        return feature_B

    def _score(
        self, feature_B: NDArray[np.int32], lengths_R: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """The weights of each sentence's features, each by the logarithm of its number, added."""
        found_B = feature_B >= 0
        row_B = np.repeat(np.arange(len(lengths_R)), lengths_R)
        number = len(self._weights_FL)
        key_F = np.sort(row_B[found_B] * number + feature_B[found_B])
        first_F = np.flatnonzero(np.diff(key_F, prepend=-1))
        count_F = np.diff(first_F, append=len(key_F)).astype(np.float32)
        row_F, feature_F = np.divmod(key_F[first_F], number)
        # Most features occur once: what they weigh is multiplied in at the end, for all at once.
        weight_F = np.log1p(count_F) / _ONCE
        often_F = count_F > 1
        begins = np.flatnonzero(np.diff(row_F, prepend=-1))  # where the features of a row begin
        score_RL = np.zeros((len(lengths_R), len(self._prior_L)), dtype=np.float32)
        for at in range(0, len(begins), _ROWS_AT_ONCE):
            some = begins[at : at + _ROWS_AT_ONCE]
            after = at + _ROWS_AT_ONCE
            now = slice(some[0], begins[after] if after < len(begins) else len(row_F))
            weighted_FL = self._weights_FL[feature_F[now]]
            often = np.flatnonzero(often_F[now])
            weighted_FL[often] *= weight_F[now][often, None]
            sums = np.add.reduceat(weighted_FL, some - some[0], axis=0)
            score_RL[row_F[some]] = sums * _ONCE + self._prior_L
        return score_RL


@cache
def identifier() -> Identifier:
    """The one of this process."""
    return Identifier()


def _code(language: str) -> str:
    code = primary(language)
    return _NAMES.get(code, code)
