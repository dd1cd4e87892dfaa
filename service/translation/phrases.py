"""Phrases and prefixes, from text to the tokens of a model.

A phrase can be spelt in many ways: as one piece, as several, byte by byte. `Speller.phrase` finds
all of them, as one graph over the bytes of the phrase.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import accumulate

from service.bundle import Manifest, Tokenizer
from service.decoding import MAX_PHRASES, Phrase, Tokens
from service.errors import InvalidArgument
from service.translation.options import Term
from service.translation.segments import is_unspaced

__all__ = ["MAX_PHRASE_CHARS", "Glossary", "Speller"]

MAX_PHRASE_CHARS = 200

_BLOCK = "\u2581"  # how SentencePiece writes a space inside its pieces


class Speller:
    """Spells in the tokens of one model. Safe to use from several threads at once."""

    def __init__(self, manifest: Manifest, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        kind = manifest.tokenizer.kind
        self._spaced = kind != "characters"
        self._lead = int(kind == "sentencepiece")  # a source begins with a space, unseen
        special = manifest.special_ids
        self._special = {special.pad, special.unk, special.bos, special.eos}

    def phrases(self, field: str, texts: Sequence[str]) -> tuple[Phrase, ...]:
        """The phrases of a list, see `phrase`. Raises `InvalidArgument` for `field[index]` too."""
        if len(texts) > MAX_PHRASES:
            raise InvalidArgument(field, f"must be at most {MAX_PHRASES}, got {len(texts)}")
        return tuple(self.phrase(f"{field}[{index}]", text) for index, text in enumerate(texts))

    def phrase(self, field: str, text: str) -> Phrase:
        """Every spelling of `text` that begins and ends where pieces do.

        Upper and lower case differ. With SentencePiece it may or may not follow a space. A phrase
        that the vocabulary cannot spell has no way from its first place to its last.

        Raises `InvalidArgument` for `field` when there is nothing in it, or too much.
        """
        wanted = _bounded(field, self._tokenizer.normalise(text).strip())
        if not self._spaced:
            return self._graph(wanted.encode())
        graph = self._graph(f" {wanted}".encode())
        first, second, *rest = graph.edges
        return Phrase(((*first, *second), second, *rest))  # the space may be left out

    def prefix(self, field: str, text: str) -> Tokens:
        """The tokens of a beginning that ends with a word; none when there is no text.

        Raises `InvalidArgument` for `field` when the model cannot spell it.
        """
        if not text.strip():
            return ()
        ids = tuple(self._tokenizer.encode_target(text.rstrip()))
        if self._tokenizer.unk_id in ids:
            raise InvalidArgument(field, "has characters that the model does not know")
        return ids

    def all_required(self, field: str, texts: Sequence[str]) -> tuple[Tokens, ...]:
        """The phrases of a list, see `required`. Raises `InvalidArgument` for `field[index]`."""
        if len(texts) > MAX_PHRASES:
            raise InvalidArgument(field, f"must be at most {MAX_PHRASES}, got {len(texts)}")
        return tuple(self.required(f"{field}[{index}]", text) for index, text in enumerate(texts))

    def required(self, field: str, text: str) -> Tokens:
        """A phrase that must be said, as the tokenizer spells it by itself.

        Raises `InvalidArgument` for `field` when there is nothing in it, or too much, or it cannot
        be spelt.
        """
        ids = self.prefix(field, _bounded(field, self._tokenizer.normalise(text).strip()))
        if not ids:
            raise InvalidArgument(field, "is nothing that the model could say")
        return ids

    def places(
        self, ids: Sequence[int], text: str, spans: Iterable[tuple[int, int]]
    ) -> tuple[int, ...]:
        """Which of `ids`, the tokens of `text`, have a part of these spans of its characters.

        None when the tokens do not spell the text letter by letter.
        """
        spelt = [self._bytes(piece) for piece in self._tokenizer.pieces(ids)]
        lead = self._lead
        if b"".join(spelt)[lead:] != text.encode():
            return ()
        ends = list(accumulate(map(len, spelt)))
        wanted = [
            (lead + len(text[:start].encode()), lead + len(text[:end].encode()))
            for start, end in spans
        ]
        return tuple(
            number
            for number, (end, piece) in enumerate(zip(ends, spelt, strict=True))
            if any(start < end and end - len(piece) < stop for start, stop in wanted)
        )

    def _graph(self, wanted: bytes) -> Phrase:
        return Phrase(tuple(tuple(self._edges(wanted, place)) for place in range(len(wanted))))

    def _edges(self, wanted: bytes, place: int) -> Iterator[tuple[int, int]]:
        for end in range(place + 1, min(len(wanted), place + self._longest) + 1):
            for token in self._tokens.get(wanted[place:end], ()):
                yield token, end

    @cached_property
    def _tokens(self) -> dict[bytes, list[int]]:
        """What each piece stands for in a text; made when it is first needed."""
        found: dict[bytes, list[int]] = {}
        ids = [i for i in range(self._tokenizer.vocabulary_size) if i not in self._special]
        for token, piece in zip(ids, self._tokenizer.pieces(ids), strict=True):
            found.setdefault(self._bytes(piece), []).append(token)
        return found

    @cached_property
    def _longest(self) -> int:
        return max(map(len, self._tokens), default=0)

    def _bytes(self, piece: str) -> bytes:
        if not self._spaced:
            return piece.encode()
        if len(piece) == len("<0x00>") and piece.startswith("<0x") and piece.endswith(">"):
            return bytes([int(piece[3:5], 16)])
        return piece.replace(_BLOCK, " ").encode()


class Glossary:
    """Terms, found in source sentences of one language: whole words, upper and lower case as given.

    In languages that are written without spaces, anywhere.
    """

    def __init__(self, terms: Sequence[Term], speller: Speller, language: str) -> None:
        """Raises `InvalidArgument` for `terminology[index]`, or for all of it."""
        if len(terms) > MAX_PHRASES:
            raise InvalidArgument("terminology", f"must be at most {MAX_PHRASES}, got {len(terms)}")
        edge = ("", "") if is_unspaced(language) else (r"(?<!\w)", r"(?!\w)")
        self._terms: list[tuple[re.Pattern[str], Tokens]] = []
        for index, term in enumerate(terms):
            field = f"terminology[{index}]"
            source = re.escape(_bounded(f"{field}.source", term.source.strip()))
            target = speller.required(f"{field}.target", term.target)
            self._terms.append((re.compile(edge[0] + source + edge[1]), target))
        self._speller = speller

    def required(self, sentence: str, ids: Sequence[int]) -> dict[Tokens, tuple[int, ...]]:
        """What the translation of a sentence must have, and which of its tokens ask for it."""
        found: dict[Tokens, tuple[int, ...]] = {}
        for source, target in self._terms:
            if spans := [match.span() for match in source.finditer(sentence)]:
                places = self._speller.places(ids, sentence, spans)
                found[target] = found.get(target, ()) + places
        return found


def _bounded(field: str, text: str) -> str:
    if not text:
        raise InvalidArgument(field, "is empty; give a phrase")
    if len(text) > MAX_PHRASE_CHARS:
        raise InvalidArgument(field, f"has {len(text)} characters; the limit is {MAX_PHRASE_CHARS}")
    return text
