"""How a text becomes sentences, and how their translations become a text again.

A text is split at its line breaks, then into sentences; white space belongs to the gaps between
them and is put back exactly as it was. A sentence that is too long for the model is cut between
words: nothing is ever dropped.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import sentencex

__all__ = ["Segments", "is_unspaced", "split"]

# Written without spaces between sentences, so that an empty gap is right between translations too.
_UNSPACED = frozenset({"ja", "zh", "yue", "wuu", "th", "lo", "km", "my", "bo"})

# One sentence without a doubt, in any language: nothing that could end one, but at its very end.
_ONE_SENTENCE = re.compile(r"\w(?:[\w ,'-]*\w)?[.!?]?")
_WHITE = re.compile(r"\s")
_GAP = re.compile(r"\s+")
_AFTER_CLAUSE = re.compile(r"(?<=[,;:…)\]–—])\s+|(?<=[，、；：])")


@dataclass(frozen=True, slots=True)
class Segments:
    """`gaps[0] sentences[0] gaps[1] ... sentences[n-1] gaps[n]` is the text, to the letter.

    `was_cut` tells that a sentence was too long and had to be translated in parts.
    """

    gaps: tuple[str, ...]
    sentences: tuple[str, ...]
    was_cut: bool

    def join(self, translations: Sequence[str], target_language: str = "und") -> str:
        """Put translations in the place of the sentences, white space as it was.

        Sentences that had nothing between them (Chinese, Japanese, ...) get a space in languages
        that want one.
        """
        bare = "" if is_unspaced(target_language) else " "
        parts = [self.gaps[0]]
        for position, translation in enumerate(translations, start=1):
            gap = self.gaps[position]
            parts += translation, gap if gap or position == len(self.sentences) else bare
        return "".join(parts)


def split(
    text: str, *, language: str, sentences: bool, fits: Callable[[str], bool] = lambda _: True
) -> Segments:
    """Split `text`, written in `language` (BCP-47).

    Without `sentences`, the text is one segment, whatever it contains. `fits` says whether a
    segment is short enough for the model; where it is not, the segment is cut.
    """
    if _ONE_SENTENCE.fullmatch(text) and fits(text):
        return Segments(("", ""), (text,), was_cut=False)
    pieces = _sentences(text, _primary(language)) if sentences else iter([text])
    segments: list[str] = []
    gaps = [""]
    was_cut = False
    for piece in pieces:
        core = piece.strip()
        if not core:
            gaps[-1] += piece
            continue
        start = piece.index(core)
        gaps[-1] += piece[:start]
        parts = list(_cut(core, fits))
        was_cut = was_cut or len(parts) > 1
        for gap, part in parts:
            gaps[-1] += gap
            segments.append(part)
            gaps.append("")
        gaps[-1] += piece[start + len(core) :]
    return Segments(tuple(gaps), tuple(segments), was_cut)


def _sentences(text: str, language: str) -> Iterator[str]:
    """Pieces that make up `text`, each holding at most one sentence."""
    for line in text.splitlines(keepends=True):
        # sentencex 1.0 panics on white space beyond ASCII after a full stop, so it is shown plain
        # spaces, one for one: the places of the boundaries hold for the line itself.
        plain = _WHITE.sub(" ", line)
        start = 0
        for piece in sentencex.segment(language, plain):
            yield line[start : start + len(piece)]
            start += len(piece)
        yield line[start:]


def _cut(sentence: str, fits: Callable[[str], bool]) -> Iterator[tuple[str, str]]:
    """(gap before, part) pairs that make up `sentence`, every part short enough.

    Halving keeps the parts of similar length, which suits the model better than one that is full
    and one that is a stump. A single character is taken as it is, whatever `fits` says.
    """
    if fits(sentence) or len(sentence) == 1:
        yield "", sentence
        return
    left, gap, right = _halves(sentence)
    yield from _cut(left, fits)
    (first_gap, first), *rest = _cut(right, fits)
    yield gap + first_gap, first
    yield from rest


def _halves(sentence: str) -> tuple[str, str, str]:
    """Cut in two: after a clause if one ends near the middle, else between words, else anywhere."""
    middle = len(sentence) // 2
    for pattern, reach in ((_AFTER_CLAUSE, len(sentence) // 4), (_GAP, middle)):
        inner = (m for m in pattern.finditer(sentence) if m.start() > 0 and m.end() < len(sentence))
        nearest = min(inner, key=lambda m: abs(m.start() - middle), default=None)
        if nearest is not None and abs(nearest.start() - middle) <= reach:
            return sentence[: nearest.start()], nearest.group(), sentence[nearest.end() :]
    while middle < len(sentence) - 1 and unicodedata.combining(sentence[middle]):
        middle += 1  # an accent stays with its letter
    return sentence[:middle], "", sentence[middle:]


def is_unspaced(language: str) -> bool:
    """Whether words of a language (BCP-47) follow each other without spaces."""
    return _primary(language) in _UNSPACED


def _primary(language: str) -> str:
    return language.split("-", 1)[0].lower()
