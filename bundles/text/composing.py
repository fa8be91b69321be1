"""Unicode composition (NFC) whose cost is bounded for any text."""

import re
import unicodedata
from functools import cache

from bundles.text.substitution import PLAIN_SUB, Sub

# Composing sorts each run of combining marks in quadratic time. Unicode's stream-safe format (UAX #15) allows 30 a run.
_MAX_MARKS = 30
_SHORT = 500  # characters that compose in well under a millisecond, whatever they are
# Nothing from here on combines or is joined to what stands before it (a test asks for each); scanning it takes 0.1 s.
_END_OF_MARKS = 0x20000


@cache
def _marks() -> str:
    """The inside of a character class of all that Unicode orders when it composes."""
    codes = [code for code in range(_END_OF_MARKS) if unicodedata.combining(chr(code))]
    return "".join(map(chr, codes))


@cache
def _too_many_marks() -> re.Pattern[str]:
    """A run of marks that is cut short after its first ones. Few texts are long enough to need it."""
    return re.compile(f"([{_marks()}]{{{_MAX_MARKS}}})[{_marks()}]+")


@cache
def _cluster() -> re.Pattern[str]:
    """What composes together: a character, and those after it that Unicode may join to it or move among themselves."""
    joining: set[str] = set()
    for char in map(chr, range(_END_OF_MARKS)):
        parts = unicodedata.decomposition(char).split()
        if parts and not parts[0].startswith("<"):
            joining.update(chr(int(part, 16)) for part in parts[1:])
            if unicodedata.combining(unicodedata.normalize("NFD", char)[0]):
                joining.add(char)
    hangul = "\u1161-\u1175\u11a8-\u11c2"  # vowels and finals compose by rule instead of by table
    return re.compile(f"(?s).[{hangul}{_marks()}{''.join(sorted(joining))}]*")


def compose_unicode(text: str, sub: Sub = PLAIN_SUB) -> str:
    """`text` in NFC, in time linear in its length: runs of combining marks are cut short first."""
    if len(text) > _SHORT:
        text = sub(_too_many_marks(), r"\1", text)
    if unicodedata.is_normalized("NFC", text):
        return text
    if sub is PLAIN_SUB:
        return unicodedata.normalize("NFC", text)
    return sub(_cluster(), lambda match: unicodedata.normalize("NFC", match[0]), text)
