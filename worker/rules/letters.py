"""Text as the letters that a reader sees: the form in which terms are looked for.

Syllables are written as their jamo, so that 섹스, ㅅㅔㄱㅅㅡ and NFD are the same; full width, circled and look-alike
letters are plain ones, accents are off, capitals small; what shows nothing is gone. Each character becomes its letters
on its own, so a letter can be traced back to its character.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache

from bundles.text.hangul import (
    FINALS,
    FIRST_SYLLABLE,
    INITIALS,
    LAST_SYLLABLE,
    SPLIT_JAMO,
    VOWELS,
    split_syllable,
)
from bundles.text.signs import LOOKALIKES

_CONJOINING = {
    **{0x1100 + place: jamo for place, jamo in enumerate(INITIALS)},
    **{0x1161 + place: jamo for place, jamo in enumerate(VOWELS)},
    **{0x11A7 + place: jamo for place, jamo in enumerate(FINALS) if jamo},
}
_COMPATIBLE = range(0x3131, 0x3164)
# Blocks with plain letters in disguise: Latin with accents; enclosed, half and full width; mathematical.
_DISGUISED = (
    range(0xC0, 0x250),
    range(0x1E00, 0x1F00),
    range(0x2070, 0x20A0),
    range(0x2100, 0x2150),
    range(0x2460, 0x2500),
    range(0x3200, 0x3280),
    range(0xFF01, 0xFFDD),
    range(0x1D400, 0x1D800),
    range(0x1F110, 0x1F18A),
)
_WITH_MARKS = (range(0x80, 0x3300), range(0xA600, 0xAC00), range(0xFE00, 0x11000), range(0xE0000, 0xE1000))
_FILLERS = (0x115F, 0x1160, 0x3164, 0xFFA0, 0x2800)
_NOT_LETTER = re.compile(r"[\W_]+")


@cache
def _table() -> dict[int, str | None]:
    """From a character to its letters; None: it shows nothing. What is missing is a letter or a sign as it is."""
    table: dict[int, str | None] = {ord(char): char.lower() for char in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
    table |= {ord(char): plain.lower() for char, plain in LOOKALIKES.items()}
    for code in (code for block in _DISGUISED for code in block):
        plain = _plain(chr(code))
        if plain:
            table[code] = plain
    table |= {code: _spelt(jamo) for code, jamo in _CONJOINING.items()}
    table |= {code: _spelt(chr(code)) for code in _COMPATIBLE}
    for code in range(FIRST_SYLLABLE, LAST_SYLLABLE + 1):
        table[code] = "".join(map(_spelt, split_syllable(chr(code))))
    marks = (code for block in _WITH_MARKS for code in block if unicodedata.category(chr(code)) in {"Cf", "Mn", "Me"})
    return table | dict.fromkeys((*marks, *_FILLERS))


def _plain(char: str) -> str:
    """The small letters, digits or jamo behind one character; empty if it has none."""
    plain = unicodedata.normalize("NFKD", char)
    kept = (_CONJOINING.get(ord(part), part) for part in plain if not unicodedata.combining(part))
    return "".join(_spelt(part) for part in kept if part.isalnum() and (part.isascii() or _is_jamo(part))).lower()


def _is_jamo(char: str) -> bool:
    return ord(char) in _COMPATIBLE


def _spelt(jamo: str) -> str:
    """A jamo as the keys that write it: ㅄ as ㅂㅅ, ㅘ as ㅗㅏ."""
    return SPLIT_JAMO.get(jamo, jamo)


def fold(text: str) -> str:
    """The letters of `text`, with its signs and spaces left as they are."""
    return text.translate(_table())


def letters_of(text: str) -> str:
    """The letters of `text` alone."""
    letters = text.translate(_letter_table())
    return letters if letters.isalnum() else _NOT_LETTER.sub("", letters)


@cache
def _letter_table() -> dict[int, str | None]:
    """As `_table`, without the signs and spaces of a keyboard."""
    return _table() | {code: None for code in range(128) if not chr(code).isalnum()}


@dataclass(frozen=True, slots=True)
class Letters:
    """The letters of a text, each with the place of its character."""

    text: str
    letters: str
    places: list[int]

    @classmethod
    def of(cls, text: str, dropped: frozenset[int] = frozenset()) -> "Letters":
        """All letters but those of the characters at `dropped` places."""
        parts: list[str] = []
        places: list[int] = []
        for place, char in enumerate(text):
            if place not in dropped and (letters := _letters_of_char(char)):
                parts.append(letters)
                places += [place] * len(letters)
        return cls(text, "".join(parts), places)


@lru_cache(8_192)
def _letters_of_char(char: str) -> str:
    return letters_of(char)


def is_hidden(char: str) -> bool:
    """Whether a character shows nothing."""
    return _table().get(ord(char), "") is None
