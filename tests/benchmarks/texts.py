"""What is translated: texts of an exact number of tokens, mixed lengths, or a file of pairs."""

import gzip
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from service.bundle import Tokenizer
from service.cli.sentences import SENTENCES


@dataclass(frozen=True, kw_only=True, slots=True)
class Pairs:
    """Sources of a file, each once, with all the references that the file has for it."""

    sources: list[str]
    references: list[list[str]]

    @classmethod
    def read(cls, path: Path, columns: str) -> "Pairs":
        """Of a TSV file, gzip or not; `columns` is "1,2" for source<TAB>target, "2,1" reversed.

        Raises ValueError, or OSError, with what keeps it from being read.
        """
        if not re.fullmatch(r"[1-9]\d*,[1-9]\d*", columns):
            raise ValueError(f'columns are two numbers from 1, such as "2,1"; not "{columns}"')
        source, target = (int(column) - 1 for column in columns.split(","))
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()
        found: dict[str, list[str]] = {}
        for number, line in enumerate(text.splitlines(), 1):
            cells = line.split("\t")
            if len(cells) <= max(source, target):
                raise ValueError(f"{path}, line {number}: {len(cells)} columns, not {columns}")
            found.setdefault(cells[source], []).append(cells[target])
        if not found:
            raise ValueError(f"{path} is empty")
        return cls(sources=list(found), references=list(found.values()))


def texts_of(tokenizer: Tokenizer, tokens: int, count: int, seed: int = 0) -> list[str]:
    """`count` different texts of exactly so many tokens, end mark included.

    Words of real sentences in any order: a model's time does not depend on what the words mean.
    """
    chance = random.Random(seed)
    words = _words()
    found: dict[str, None] = {}
    for _attempt in range(1000 * count):
        text, length = "", 0
        while length < tokens - 1:
            text = f"{text} {chance.choice(words)}".strip()
            length = len(tokenizer.encode(text))
        # A character table counts letters: cutting the last word makes it fit.
        while length > tokens - 1 and text:
            text = text[:-1].rstrip()
            length = len(tokenizer.encode(text))
        if length == tokens - 1:
            found[text] = None
            if len(found) == count:
                return list(found)
    raise ValueError(f"found no {count} texts of {tokens} tokens")


def mixed_lengths(count: int, longest: int, seed: int = 0) -> list[int]:
    """Lengths in tokens as texts have them: log-normal, median 18, many short and a few long."""
    chance = random.Random(seed)
    drawn = (round(chance.lognormvariate(2.89, 0.55)) for _ in range(count))
    return [min(max(each, 3), longest) for each in drawn]


def mixed_texts(tokenizer: Tokenizer, count: int, longest: int, seed: int = 0) -> list[str]:
    """Texts of mixed lengths, each one sentence."""
    chance = random.Random(seed)
    words = _words()
    texts = []
    for length in mixed_lengths(count, longest, seed):
        text = chance.choice(words)
        while len(tokenizer.encode(text)) < length - 2:
            text += f" {chance.choice(words)}"
        texts.append(text)
    return texts


def batches(items: Sequence, size: int) -> Iterator[list]:
    """The items in groups of `size`; the last may be smaller."""
    for first in range(0, len(items), size):
        yield list(items[first : first + size])


def _words() -> list[str]:
    # Without full stops inside, so that a text stays one sentence.
    return sorted({word.strip(".,?!") for sentence in SENTENCES for word in sentence.split()})
