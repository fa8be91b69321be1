"""Characters that show nothing, and those that are drawn as another letter: fullwidth, circled, conjoining."""

import re
import unicodedata

from bundles.text.hangul import FINALS, INITIALS, VOWELS
from bundles.text.substitution import Sub

# Characters that show nothing: fillers, joiners, direction marks, tags, variation selectors, combining marks.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff"
    "\U000e0000-\U000e0fff]"
)
_CONTROL: dict[int, str] = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029), " ")

_JAMO = {
    **{chr(0x1100 + index): jamo for index, jamo in enumerate(INITIALS)},
    **{chr(0x1161 + index): jamo for index, jamo in enumerate(VOWELS)},
    **{chr(0x11A7 + index): jamo for index, jamo in enumerate(FINALS) if jamo},
}


def _plain_form(code: int) -> str | None:
    """The letter behind a fullwidth, halfwidth, circled or conjoining one."""
    plain = "".join(_JAMO.get(char, char) for char in unicodedata.normalize("NFKC", chr(code))).strip("()")
    return plain if plain and plain != chr(code) and len(plain) <= 2 else None


_DISGUISED = (
    *range(0x1100, 0x1200),  # conjoining jamo that NFC left over
    *range(0x24B6, 0x24EA),  # circled Latin letters
    *range(0x3200, 0x321F),  # Hangul in parentheses
    *range(0x3260, 0x327F),  # circled Hangul
    *range(0xFF01, 0xFFDD),  # fullwidth Latin, halfwidth Hangul
    *range(0x1D400, 0x1D800),  # mathematical Latin
)
_PLAIN = {code: plain for code in _DISGUISED if (plain := _plain_form(code))} | _CONTROL
_HAS_DISGUISED = re.compile(
    "[\\x00-\\x1f\\x7f-\\x9f\u1100-\u11ff\u2028\u2029\u24b6-\u24e9\u3200-\u321e\u3260-\u327e\uff01-\uffdc"
    "\U0001d400-\U0001d7ff]"
)


def show(text: str, sub: Sub) -> str:
    """Leave out what shows nothing, and write the letter behind what is drawn as another one."""
    text = sub(_INVISIBLE, "", text)
    return sub(_HAS_DISGUISED, lambda match: _PLAIN.get(ord(match[0]), match[0]), text)
