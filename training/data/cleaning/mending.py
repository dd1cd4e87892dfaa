"""Mending one sentence: what a wrong road did to its characters is undone where that is certain.

Mending what is mended changes nothing.
"""

from __future__ import annotations

import re
import unicodedata
from html.entities import html5

from training.data.cleaning.characters import KEPT_FORMATS

__all__ = ["GARBLED", "MENDS", "SUSPECT", "mend"]

MENDS = {
    "double-encoding": "UTF-8 that was read as a single-byte encoding and encoded again",
    "entities": "entities of HTML (&amp;)",
    "invisible-characters": "control characters and other invisible ones removed",
    "white-space": "every stretch of white space made one space",
    "composition": "letters and their accents composed (Unicode normal form C)",
}

# What Windows-1252 shows for the bytes 0x80 to 0xBF, the second and later bytes of a character in
# UTF-8, and what Latin-1 shows for them. Bytes that Windows-1252 leaves open are taken as Latin-1.
_TAIL = "".join(
    sorted({bytes([byte]).decode("cp1252", "ignore") for byte in range(0x80, 0xC0)} - {""})
)
_TAIL_CLASS = f"[\x80-\xbf{re.escape(_TAIL)}]"
_LEAD_CLASS = "[\xc2-\xf4]"
# UTF-8 read as if it were a single-byte encoding: a lead byte and its tail.
_DOUBLE = re.compile(_LEAD_CLASS + _TAIL_CLASS)
# Nobody writes these on purpose: C2 and C3 lead the letters of western languages, E2 80 the dashes
# and quotation marks.
GARBLED = re.compile(f"[\xc2\xc3][\x80-\xbf{re.escape(_TAIL.translate({0xA0: None}))}]|\xe2\u20ac")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
# A sentence without any of these, without odd characters and in normal form C needs no mending.
SUSPECT = re.compile(f"{_DOUBLE.pattern}|&[#A-Za-z]")


def mend(text: str) -> tuple[str, frozenset[str]]:
    """The text as it was meant, and the names of what was mended."""
    done: set[str] = set()
    # Taking one thing away may uncover another (&amp;amp;): each of these makes the text shorter.
    while True:
        before = text
        for name, step in _STEPS:
            text, old = step(text), text
            if text != old:
                done.add(name)
        if text == before:
            return text, frozenset(done)


def _undo_double_encoding(text: str) -> str:
    """Read as a single-byte encoding what was UTF-8: undone only if the whole text agrees.

    A text in which every character beyond ASCII happens to be part of a valid UTF-8 sequence is
    not written by chance.
    """
    if not _DOUBLE.search(text):
        return text
    try:
        return b"".join(map(_single_byte, text)).decode()
    except UnicodeError:
        return text


def _single_byte(character: str) -> bytes:
    try:
        return character.encode("cp1252")
    except UnicodeEncodeError:
        return character.encode("latin-1")


def _resolve_entities(text: str) -> str:
    return _ENTITY.sub(_resolve_entity, text) if "&" in text else text


def _resolve_entity(found: re.Match[str]) -> str:
    name = found[0][1:]
    if name[0] != "#":
        return html5.get(name, found[0])
    digits = name[1:-1]
    code = int(digits[1:], 16) if digits[0] in "xX" else int(digits)
    # A number that is no character: the sign for a lost one, which is dropped as such.
    return chr(code) if 0 < code < 0x110000 and not 0xD800 <= code < 0xE000 else "\ufffd"


def _compose(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _remove_invisible(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(c for c in text if c.isprintable() or not _invisible(c))


def _invisible(character: str) -> bool:
    if character.isspace():
        return False  # white space is the next step's affair
    return unicodedata.category(character) in {"Cc", "Cf"} and ord(character) not in KEPT_FORMATS


def _space(text: str) -> str:
    return " ".join(text.split())


_STEPS = (
    ("double-encoding", _undo_double_encoding),  # first: the second byte may look like a space
    ("entities", _resolve_entities),
    ("invisible-characters", _remove_invisible),
    ("white-space", _space),
    ("composition", _compose),
)
