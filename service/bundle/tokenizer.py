"""Text to token ids and back: one protocol, three kinds.

All kinds answer any text whatsoever, and are lossless: ``decode(encode(text))`` is the text in the
normalisation that the manifest declares. Where both sides of a model are written alike, this is
also what becomes of its answers; a symbol table reads letters and writes symbols with spaces
between them. Tables know only what they list; all else becomes the unknown id.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from service.bundle.characters import CharacterTokenizer, character_table
from service.bundle.manifest import SpecialIds, TokenizerSpec
from service.bundle.pieces import SentencePieceTokenizer
from service.bundle.symbols import SymbolTokenizer, symbol_table

__all__ = [
    "CharacterTokenizer",
    "SentencePieceTokenizer",
    "SymbolTokenizer",
    "Tokenizer",
    "character_table",
    "load_tokenizer",
    "symbol_table",
]


class Tokenizer(Protocol):
    """What the service asks of a tokenizer. Safe to use from several threads at once."""

    @property
    def vocabulary_size(self) -> int:
        """How many ids there are, special ones included."""

    @property
    def unk_id(self) -> int:
        """The id of whatever the vocabulary lacks."""

    def normalise(self, text: str) -> str:
        """What ``decode(encode_target(text))`` gives back when nothing is unknown."""

    def encode(self, text: str) -> list[int]:
        """Ids of a source, without special ids at its ends.

        Never raises; lone surrogates count as U+FFFD.
        """

    def encode_target(self, text: str) -> list[int]:
        """Ids of an answer, or of a part of it, without special ids at its ends.

        Never raises either.
        """

    def decode(self, ids: Sequence[int]) -> str:
        """Text of ids.

        Never raises: padding, begin and end mean nothing, an id that does not exist is unknown.
        """

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """Each id as a person would like to see it, special ones included."""


def load_tokenizer(spec: TokenizerSpec, special_ids: SpecialIds, data: bytes) -> Tokenizer:
    """The tokenizer that ``spec`` describes, from the bytes of its file.

    Raises:
        BundleError: with every way in which the file is not what the manifest says.
    """
    match spec.kind:
        case "characters":
            return CharacterTokenizer(data, special_ids, spec)
        case "symbols":
            return SymbolTokenizer(data, special_ids, spec)
        case "sentencepiece":
            return SentencePieceTokenizer(data, special_ids, spec)
