"""A tokenizer of two sides: words, letter by letter, become symbols with spaces between them.

For spelling to pronunciation and the like, where ``t͡ʃ`` is one sound whatever it is written with.
Its file is ``{"characters": ["a", "b", ...], "symbols": ["aː", "t͡ʃ", ...]}``: the characters that a
source may have, and the symbols that an answer may have. Ids go to both in this order, around the
special ones; the same letter on both sides has two.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from service.bundle.characters import (
    UNKNOWN,
    named_specials,
    normaliser,
    repeated,
)
from service.bundle.errors import BundleError
from service.bundle.manifest import SpecialIds, TokenizerSpec, strict_json
from service.bundle.schema import SchemaError, dump, parse
from service.bundle.surrogates import without_surrogates

__all__ = ["SymbolTokenizer", "symbol_table"]

_FOLLOWS_SPACE = "\u2581"  # as SentencePiece shows it


@dataclass(frozen=True, kw_only=True, slots=True)
class _Table:
    characters: tuple[str, ...]
    symbols: tuple[str, ...]

    def validate(self) -> Iterator[str]:
        """Yield one sentence for each rule that does not hold."""
        for i, character in enumerate(self.characters):
            if len(character) != 1 or character != without_surrogates(character):
                yield f"characters[{i}]: {character[:20]!r} is not one character"
        for i, symbol in enumerate(self.symbols):
            if [symbol] != symbol.split() or symbol != without_surrogates(symbol):
                yield f"symbols[{i}]: {symbol[:20]!r} is not one symbol without white space"
        yield from repeated("characters", self.characters)
        yield from repeated("symbols", self.symbols)


def symbol_table(characters: Iterable[str], symbols: Iterable[str]) -> bytes:
    """The file of a symbol tokenizer.

    Raises:
        ValueError: if something is not one character or symbol, or occurs twice on its side.
    """
    table = _Table(characters=tuple(characters), symbols=tuple(symbols))
    if problems := list(table.validate()):
        raise ValueError("; ".join(problems))
    return (json.dumps(dump(table), ensure_ascii=False) + "\n").encode()


class SymbolTokenizer:
    """Letters in, symbols out; see :class:`service.bundle.tokenizer.Tokenizer`."""

    def __init__(self, data: bytes, special_ids: SpecialIds, spec: TokenizerSpec) -> None:
        """Read a table.

        Raises:
            BundleError: with everything that is wrong with it.
        """
        try:
            table = parse(_Table, strict_json(data))
        except SchemaError as error:
            raise BundleError(spec.file, error.problems) from None
        except ValueError as error:
            raise BundleError(spec.file, [f"is no symbol table: {error}"]) from None
        specials = named_specials(special_ids)
        size = len(specials) + len(table.characters) + len(table.symbols)
        problems = [f"has no piece for the special id {i}" for i in specials if not 0 <= i < size]
        if size != spec.vocabulary_size:
            problems.append(
                f"has {size} pieces, special ones included, "
                f"tokenizer.vocabulary_size says {spec.vocabulary_size}"
            )
        self._normalise, unknown_form = normaliser(spec.normalisation)
        if problems := [*problems, *unknown_form]:
            raise BundleError(spec.file, problems)
        free = [i for i in range(size) if i not in specials]
        self._size, self._unk = size, special_ids.unk
        self._characters = dict(zip(table.characters, free, strict=False))
        self._symbols = dict(zip(table.symbols, free[len(table.characters) :], strict=True))
        self._silent = {i for i in specials if i != special_ids.unk}
        self._letters = {i: letter for letter, i in self._characters.items()}
        self._spoken = {i: symbol for symbol, i in self._symbols.items()}
        self._spoken[special_ids.unk] = UNKNOWN
        self._pieces = (
            specials | self._letters | {i: _FOLLOWS_SPACE + s for s, i in self._symbols.items()}
        )

    @property
    def vocabulary_size(self) -> int:
        """How many ids there are, special ones included."""
        return self._size

    @property
    def unk_id(self) -> int:
        """The id of whatever the vocabulary lacks."""
        return self._unk

    def normalise(self, text: str) -> str:
        """What ``decode(encode_target(text))`` gives back when nothing is unknown."""
        return " ".join(without_surrogates(text).split())

    def encode(self, text: str) -> list[int]:
        """Ids of a source, letter by letter, without special ids at its ends."""
        letters = self._normalise(without_surrogates(text))
        return [self._characters.get(letter, self._unk) for letter in letters]

    def encode_target(self, text: str) -> list[int]:
        """Ids of symbols with spaces between them, without special ids at their ends."""
        symbols = without_surrogates(text).split()
        return [self._symbols.get(symbol, self._unk) for symbol in symbols]

    def decode(self, ids: Sequence[int]) -> str:
        """Text of ids: symbols stand alone, the letters of a source together."""
        text, after_symbol = "", False
        for i in map(self._known, ids):
            if i in self._silent:
                continue
            symbol = self._spoken.get(i)
            if text and (after_symbol or symbol is not None):
                text += " "
            text += self._letters[i] if symbol is None else symbol
            after_symbol = symbol is not None
        return text

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """Each id as a person would like to see it."""
        return [self._pieces[self._known(i)] for i in ids]

    def _known(self, i: int) -> int:
        return i if 0 <= i < self._size else self._unk
