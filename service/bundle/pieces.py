"""The SentencePiece tokenizer: subword pieces, and bytes for whatever they do not cover.

SentencePiece writes a space as U+2581 (a block element) inside its pieces, so a text that holds
that character itself would come back with spaces. Here such characters travel as their three bytes,
which keeps the round trip lossless.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sentencepiece

from service.bundle.errors import BundleError
from service.bundle.manifest import SpecialIds, TokenizerSpec
from service.bundle.surrogates import without_surrogates
from service.bundle.wire import Field, fields, text

__all__ = ["SentencePieceTokenizer"]

BLOCK = "\u2581"

# Field numbers of sentencepiece_model.proto.
_PIECE, _TRAINER, _NORMALISER = 1, 2, 3
_PIECE_TYPE, _BYTE = 3, 6
_NAME, _ADD_DUMMY_PREFIX, _REMOVE_EXTRA_WHITESPACES, _ESCAPE_WHITESPACES = 1, 3, 4, 5
_WHITESPACE_AS_SUFFIX = 24


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the model file says about itself and the library does not tell."""

    byte_pieces: int
    rule: str
    dummy_prefix: bool
    removes_spaces: bool
    escapes_spaces: bool
    suffixes: bool


class SentencePieceTokenizer:
    """A SentencePiece model with byte fallback; see :class:`service.bundle.tokenizer.Tokenizer`."""

    def __init__(self, data: bytes, special_ids: SpecialIds, spec: TokenizerSpec) -> None:
        """Read a model.

        Raises:
            BundleError: if it is no model, or with every way in which it is not what the manifest
                says.
        """
        try:
            facts = _read_facts(data)
            model: Any = sentencepiece.SentencePieceProcessor(model_proto=data)
            size = model.vocab_size()
        except (ValueError, RuntimeError) as error:
            raise BundleError(spec.file, [f"is no SentencePiece model: {error}"]) from None
        if problems := [*_special_problems(model, special_ids), *_fact_problems(facts, spec, size)]:
            raise BundleError(spec.file, problems)
        self._model = model
        self._size: int = size
        self._unk = special_ids.unk
        self._facts = facts

    @property
    def vocabulary_size(self) -> int:
        """How many ids there are, special ones included."""
        return self._size

    @property
    def unk_id(self) -> int:
        """The id of whatever the vocabulary lacks."""
        return self._unk

    def normalise(self, text: str) -> str:
        """What ``decode(encode(text))`` gives back when nothing is unknown."""
        text = without_surrogates(text)
        stand_in = _stand_in(text)
        seen: str = self._model.normalize(text.replace(BLOCK, stand_in)).replace(BLOCK, " ")
        if self._facts.dummy_prefix and seen.startswith(" "):
            seen = seen[1:]
        return seen.replace(stand_in, BLOCK)

    def encode(self, text: str) -> list[int]:
        """Ids of a text, without special ids at its ends."""
        text = without_surrogates(text)
        if BLOCK not in text:
            ids: list[int] = self._model.encode(text)
            return ids
        stand_in = _stand_in(text)
        ids = self._model.encode(text.replace(BLOCK, stand_in))
        return _replace(ids, self._bytes(stand_in), self._bytes(BLOCK))

    def encode_target(self, text: str) -> list[int]:
        """The same: both sides are written alike."""
        return self.encode(text)

    def decode(self, ids: Sequence[int]) -> str:
        """Text of ids."""
        size = self._size
        known = [i if 0 <= i < size else self._unk for i in ids]
        decoded: str = self._model.decode(known)
        return decoded

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """Each id as a person would like to see it."""
        return [self._model.id_to_piece(self._known(i)) for i in ids]

    def _bytes(self, character: str) -> list[int]:
        return [self._model.piece_to_id(f"<0x{byte:02X}>") for byte in character.encode()]

    def _known(self, i: int) -> int:
        return int(i) if 0 <= i < self._size else self._unk


def _stand_in(text: str) -> str:
    """A private character that the text does not hold; none is in a vocabulary: four bytes."""
    used, code = set(text), 0x10FFFD
    while chr(code) in used:
        code -= 1
    return chr(code)


def _replace(ids: list[int], old: list[int], new: list[int]) -> list[int]:
    out: list[int] = []
    at = 0
    while at < len(ids):
        if ids[at] == old[0] and ids[at : at + len(old)] == old:
            out += new
            at += len(old)
        else:
            out.append(ids[at])
            at += 1
    return out


def _read_facts(data: bytes) -> _Facts:
    byte_pieces, normaliser, trainer = 0, b"", b""
    for number, value in fields(data):
        if number == _PIECE:
            byte_pieces += any(n == _PIECE_TYPE and v == _BYTE for n, v in fields(_message(value)))
        elif number == _NORMALISER:
            normaliser = bytes(_message(value))
        elif number == _TRAINER:
            trainer = bytes(_message(value))
    rules = dict(fields(normaliser))
    return _Facts(
        byte_pieces=byte_pieces,
        rule=text(rules.get(_NAME, 0)),
        dummy_prefix=rules.get(_ADD_DUMMY_PREFIX, 1) != 0,
        removes_spaces=rules.get(_REMOVE_EXTRA_WHITESPACES, 1) != 0,
        escapes_spaces=rules.get(_ESCAPE_WHITESPACES, 1) != 0,
        suffixes=dict(fields(trainer)).get(_WHITESPACE_AS_SUFFIX, 0) != 0,
    )


def _message(value: Field) -> memoryview:
    if isinstance(value, int):
        raise ValueError("a number where a message should be")
    return value


def _special_problems(model: Any, special_ids: SpecialIds) -> Iterator[str]:
    found = {
        "pad": model.pad_id(),
        "unk": model.unk_id(),
        "bos": model.bos_id(),
        "eos": model.eos_id(),
    }
    for name, actual in found.items():
        wanted = getattr(special_ids, name)
        if actual != wanted:
            shown = "none" if actual < 0 else str(actual)
            yield f"its {name} id is {shown}, special_ids.{name} says {wanted}"


def _fact_problems(facts: _Facts, spec: TokenizerSpec, size: int) -> Iterator[str]:
    if size != spec.vocabulary_size:
        yield f"has {size} pieces, tokenizer.vocabulary_size says {spec.vocabulary_size}"
    if facts.byte_pieces != 256:
        yield f"has {facts.byte_pieces} byte pieces of 256: train it with byte fallback"
    if facts.rule != spec.normalisation:
        yield f"normalises by {facts.rule!r}, tokenizer.normalisation says {spec.normalisation!r}"
    if spec.normalisation == "identity" and facts.removes_spaces:
        yield "normalises by 'identity', yet removes extra white space"
    if not facts.escapes_spaces or facts.suffixes:
        yield "marks white space unlike SentencePiece's default, which alone is undone here"
