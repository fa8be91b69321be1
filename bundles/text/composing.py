"""Unicode composition (NFC) whose cost is bounded for any text."""

import re
import sys
import unicodedata
from functools import cache

# Composing sorts each run of combining marks in quadratic time. Unicode's stream-safe format (UAX #15) allows 30 a run.
_MAX_MARKS = 30
_SHORT = 500  # characters that compose in well under a millisecond, whatever they are


@cache
def _marks() -> str:
    """The inside of a character class of all that Unicode orders when it composes."""
    codes = [code for code in range(sys.maxunicode + 1) if unicodedata.combining(chr(code))]
    return "".join(map(chr, codes))


_TOO_MANY_MARKS = re.compile(f"([{_marks()}]{{{_MAX_MARKS}}})[{_marks()}]+")


def compose_unicode(text: str) -> str:
    """`text` in NFC, in time linear in its length: runs of combining marks are cut short first."""
    if len(text) > _SHORT:
        text = _TOO_MANY_MARKS.sub(r"\1", text)
    return text if unicodedata.is_normalized("NFC", text) else unicodedata.normalize("NFC", text)
