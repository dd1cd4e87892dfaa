"""A tokenizer that knows single characters: small vocabularies, nothing to fit but a list.

Its file is ``{"pieces": ["<pad>", "<unk>", "<s>", "</s>", "a", "b", ...]}``: the place in the list
is the id. The names at the special ids are for people only and are never found in a text; every
other piece is exactly one character.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass

from service.bundle.errors import BundleError
from service.bundle.manifest import SpecialIds, TokenizerSpec, strict_json
from service.bundle.schema import SchemaError, dump, parse
from service.bundle.surrogates import without_surrogates

__all__ = [
    "UNKNOWN",
    "CharacterTokenizer",
    "character_table",
    "named_specials",
    "normaliser",
    "repeated",
]

UNKNOWN = "\N{REPLACEMENT CHARACTER}"

_NORMALISATIONS: dict[str, Callable[[str], str]] = {
    "identity": lambda text: text,
    "nfc": lambda text: unicodedata.normalize("NFC", text),
    "nfd": lambda text: unicodedata.normalize("NFD", text),
    "nfkc": lambda text: unicodedata.normalize("NFKC", text),
    "nfkd": lambda text: unicodedata.normalize("NFKD", text),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Table:
    pieces: tuple[str, ...]


def character_table(characters: Iterable[str], special_ids: SpecialIds) -> bytes:
    """The file of a character tokenizer: ``characters``, in their order, around the special ids.

    Raises:
        ValueError: if something is not one character, occurs twice, or the special ids leave a gap.
    """
    names = named_specials(special_ids)
    rest = iter(characters)
    pieces: list[str] = []
    while (piece := names.get(len(pieces)) or next(rest, None)) is not None:
        pieces.append(piece)
    if problems := list(_table_problems(pieces, special_ids)):
        raise ValueError("; ".join(problems))
    return (json.dumps(dump(_Table(pieces=tuple(pieces))), ensure_ascii=False) + "\n").encode()


class CharacterTokenizer:
    """One id for each character of a table; see :class:`service.bundle.tokenizer.Tokenizer`."""

    def __init__(self, data: bytes, special_ids: SpecialIds, spec: TokenizerSpec) -> None:
        """Read a table.

        Raises:
            BundleError: with everything that is wrong with it.
        """
        try:
            pieces = list(parse(_Table, strict_json(data)).pieces)
        except SchemaError as error:
            raise BundleError(spec.file, error.problems) from None
        except ValueError as error:
            raise BundleError(spec.file, [f"is no character table: {error}"]) from None
        problems = list(_table_problems(pieces, special_ids))
        if len(pieces) != spec.vocabulary_size:
            problems.append(
                f"has {len(pieces)} pieces, tokenizer.vocabulary_size says {spec.vocabulary_size}"
            )
        self._normalise, unknown_form = normaliser(spec.normalisation)
        if problems := [*problems, *unknown_form]:
            raise BundleError(spec.file, problems)
        special = named_specials(special_ids)
        self._pieces = pieces
        self._ids = {piece: i for i, piece in enumerate(pieces) if i not in special}
        self._texts = ["" if i in special else piece for i, piece in enumerate(pieces)]
        self._texts[special_ids.unk] = UNKNOWN
        self._unk = special_ids.unk

    @property
    def vocabulary_size(self) -> int:
        """How many ids there are, special ones included."""
        return len(self._pieces)

    @property
    def unk_id(self) -> int:
        """The id of whatever the vocabulary lacks."""
        return self._unk

    def normalise(self, text: str) -> str:
        """What ``decode(encode(text))`` gives back when nothing is unknown."""
        return self._normalise(without_surrogates(text))

    def encode(self, text: str) -> list[int]:
        """Ids of a text, without special ids at its ends."""
        ids, unk = self._ids, self._unk
        return [ids.get(character, unk) for character in self.normalise(text)]

    def encode_target(self, text: str) -> list[int]:
        """The same: both sides are written alike."""
        return self.encode(text)

    def decode(self, ids: Sequence[int]) -> str:
        """Text of ids."""
        return "".join(self._texts[self._known(i)] for i in ids)

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """Each id as a person would like to see it."""
        return [self._pieces[self._known(i)] for i in ids]

    def _known(self, i: int) -> int:
        return i if 0 <= i < len(self._pieces) else self._unk


def named_specials(special_ids: SpecialIds) -> dict[int, str]:
    """The special ids, each with a name that only people read."""
    return {
        special_ids.pad: "<pad>",
        special_ids.unk: "<unk>",
        special_ids.bos: "<s>",
        special_ids.eos: "</s>",
    }


def normaliser(name: str) -> tuple[Callable[[str], str], list[str]]:
    """The form of Unicode that a manifest names, and what is wrong with the name."""
    if form := _NORMALISATIONS.get(name):
        return form, []
    known = ", ".join(_NORMALISATIONS)
    return str, [
        f"tokenizer.normalisation: {name!r} is none of those that characters know: {known}"
    ]


def repeated(name: str, pieces: Sequence[str], skip: Container[int] = ()) -> Iterator[str]:
    """A sentence for each of ``pieces`` that occurs before, those at ``skip`` left out."""
    seen: dict[str, int] = {}
    for i, piece in enumerate(pieces):
        if i in skip:
            continue
        if piece in seen:
            yield f"{name}[{i}]: {piece!r} is already at {seen[piece]}"
        seen.setdefault(piece, i)


def _table_problems(pieces: Sequence[str], special_ids: SpecialIds) -> Iterator[str]:
    special = named_specials(special_ids)
    for i in sorted(special):
        if not 0 <= i < len(pieces):
            yield f"has no piece for the special id {i}"
    for i, piece in enumerate(pieces):
        if i not in special and (len(piece) != 1 or piece != without_surrogates(piece)):
            yield f"pieces[{i}]: {piece[:20]!r} is not one character"
    yield from repeated("pieces", pieces, special)
