"""Which scripts a language is written in. The names are the first words of Unicode's names."""

from __future__ import annotations

__all__ = ["SCRIPTS", "primary", "scripts_of"]

# By the script subtag of a language tag (ISO 15924), as in sr-Latn.
_BY_SUBTAG = {
    "Arab": ("ARABIC",),
    "Armn": ("ARMENIAN",),
    "Beng": ("BENGALI",),
    "Cyrl": ("CYRILLIC",),
    "Deva": ("DEVANAGARI",),
    "Ethi": ("ETHIOPIC",),
    "Geor": ("GEORGIAN",),
    "Grek": ("GREEK",),
    "Gujr": ("GUJARATI",),
    "Guru": ("GURMUKHI",),
    "Hans": ("CJK", "BOPOMOFO"),
    "Hant": ("CJK", "BOPOMOFO"),
    "Hebr": ("HEBREW",),
    "Jpan": ("CJK", "HIRAGANA", "KATAKANA"),
    "Khmr": ("KHMER",),
    "Knda": ("KANNADA",),
    "Kore": ("HANGUL", "CJK"),
    "Laoo": ("LAO",),
    "Latn": ("LATIN",),
    "Mlym": ("MALAYALAM",),
    "Mymr": ("MYANMAR",),
    "Orya": ("ORIYA",),
    "Sinh": ("SINHALA",),
    "Taml": ("TAMIL",),
    "Telu": ("TELUGU",),
    "Thai": ("THAI",),
    "Tibt": ("TIBETAN",),
}
# By language; one that is written in several scripts has several here.
_BY_LANGUAGE = {
    "Arab": "ar arz ary fa ps ur ug sd ckb",
    "Armn": "hy",
    "Beng": "bn as",
    "Cyrl": "ru uk be bg mk kk ky tg tt ba cv mn sr",
    "Deva": "hi mr ne sa",
    "Ethi": "am ti",
    "Geor": "ka",
    "Grek": "el grc",
    "Gujr": "gu",
    "Guru": "pa",
    "Hans": "zh yue wuu",
    "Hebr": "he yi",
    "Jpan": "ja",
    "Khmr": "km",
    "Knda": "kn",
    "Kore": "ko",
    "Laoo": "lo",
    "Latn": (
        "af az bs ca cs cy da de en eo es et eu fi fo fr fy ga gd gl ha hr ht hu id ig is it jv la "
        "lb lt lv mg ms mt nb nl nn no oc pl pt qu ro rw sk sl so sq sr sv sw tk tl tr uz vi vo wa "
        "xh yo zu"
    ),
    "Mlym": "ml",
    "Mymr": "my",
    "Orya": "or",
    "Sinh": "si",
    "Taml": "ta",
    "Telu": "te",
    "Thai": "th",
    "Tibt": "bo dz",
}
SCRIPTS = tuple(sorted({name for names in _BY_SUBTAG.values() for name in names}))


def primary(language: str) -> str:
    """The language itself: de of de-AT."""
    return language.split("-", maxsplit=1)[0].lower()


def scripts_of(language: str) -> tuple[str, ...] | None:
    """The scripts of a language tag, or None where this file does not know them."""
    for subtag in language.split("-")[1:]:
        if len(subtag) == 4 and subtag.title() in _BY_SUBTAG:
            return _BY_SUBTAG[subtag.title()]
    found = [
        name
        for subtag, languages in _BY_LANGUAGE.items()
        if primary(language) in languages.split()
        for name in _BY_SUBTAG[subtag]
    ]
    return tuple(found) or None
