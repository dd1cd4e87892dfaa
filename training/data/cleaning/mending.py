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
_TAILS = "\x80-\xbf" + "".join(
    sorted({bytes([byte]).decode("cp1252", "ignore") for byte in range(0x80, 0xA0)} - {""})
)
_TAIL = f"[{_TAILS}]"
# UTF-8 read as if it were a single-byte encoding: a lead byte and its tail.
_SEQUENCE = re.compile(f"[\xc2-\xdf]{_TAIL}|[\xe0-\xef]{_TAIL}{{2}}|[\xf0-\xf4]{_TAIL}{{3}}")
# Such tails may also just follow a letter: "FERMÉ\xa0!", "un café…”".
_PUNCTUATION = "\xa0\xa1\xab\xad\xb7\xbb\xbf‚„…†‡‰‹‘’“”•–—™›"
_MARKS = _PUNCTUATION + "©®°²³¹ªº"  # "NESCAFÉ®"
# C2 and C3 lead the letters of western languages, E2 80 the dashes and quotation marks.
GARBLED = re.compile(
    f"[\xc2\xc3](?![{_PUNCTUATION}]){_TAIL}|(?<=[a-z\xdf-\xff])[\xc2\xc3]{_TAIL}|\xe2\u20ac"
)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
# A sentence without any of these, without odd characters and in normal form C needs no mending.
SUSPECT = re.compile(f"{_SEQUENCE.pattern}|&[#A-Za-z]")


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
    """Read as a single-byte encoding what was UTF-8.

    Undone only if all of the text is valid UTF-8 then, and something in it can hardly be anything
    else.
    """
    if not any(_convincing(text, found) for found in _SEQUENCE.finditer(text)):
        return text
    try:
        return b"".join(map(_single_byte, text)).decode()
    except UnicodeError:
        return text


def _convincing(text: str, found: re.Match[str]) -> bool:
    """Whether nobody would write such a sequence: a letter and the punctuation that follows it is
    one that people do write.
    """
    lead, tail = found[0][0], found[0][1:]
    western = lead in "\xc2\xc3"
    if not set(tail) <= set(_PUNCTUATION if western else _MARKS):
        return True
    before, after = text[: found.start()][-1:], text[found.end() :][:1]
    if before.isalpha() and (before.isupper() or not lead.isupper()):
        return False  # it ends a word
    return western or after.isalpha()


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
