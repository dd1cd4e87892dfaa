"""Text to token ids and back: one protocol, two kinds.

Both kinds answer any text whatsoever, and are lossless: ``decode(encode(text)) ==
normalise(text)``, where ``normalise`` changes only what the manifest declares. A character table
knows only its own characters; others become the unknown id.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from service.bundle.characters import CharacterTokenizer, character_table
from service.bundle.manifest import SpecialIds, TokenizerSpec
from service.bundle.pieces import SentencePieceTokenizer

__all__ = [
    "CharacterTokenizer",
    "SentencePieceTokenizer",
    "Tokenizer",
    "character_table",
    "load_tokenizer",
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
        """What ``decode(encode(text))`` gives back when nothing is unknown."""

    def encode(self, text: str) -> list[int]:
        """Ids of a text, without special ids at its ends.

        Never raises; lone surrogates count as U+FFFD.
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
    if spec.kind == "characters":
        return CharacterTokenizer(data, special_ids, spec)
    return SentencePieceTokenizer(data, special_ids, spec)
