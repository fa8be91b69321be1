"""Checks texts: any valid Unicode with at least one visible character, up to a length limit."""

import unicodedata

from api.http.echo import is_unicode
from shared.errors import TextRejectedError

# Invisible characters that Unicode calls letters: Hangul fillers and the blank Braille pattern.
_INVISIBLE_LETTERS = frozenset("\u115f\u1160\u3164\uffa0\u2800")
_INVISIBLE_CATEGORIES = frozenset(("Cc", "Cf", "Zs", "Zl", "Zp"))


def check_text(value: object, param: str, max_text_chars: int) -> str:
    """Return `value` as a text to classify; `param` is its name in the request (`text`, `texts[3]`).

    Raises:
        TextRejectedError: it is not a string, is blank, is too long, or is not valid Unicode.
    """
    if not isinstance(value, str):
        raise TextRejectedError(f"{param} must be a string, not {_json_type(value)}", code="not_a_string", param=param)
    if len(value) > max_text_chars:
        raise TextRejectedError(
            f"{param} has {len(value):,} characters; at most {max_text_chars:,} are read (MAX_TEXT_CHARS). Split it",
            code="text_too_long",
            param=param,
        )
    if not is_unicode(value):
        raise TextRejectedError(
            f"{param} holds half of a surrogate pair, which is not valid Unicode", code="invalid_unicode", param=param
        )
    if not value or (_is_invisible(value[0]) and all(map(_is_invisible, value))):
        raise TextRejectedError(
            f"{param} is empty or blank; there is nothing to classify", code="empty_text", param=param
        )
    return value


def _is_invisible(character: str) -> bool:
    return unicodedata.category(character) in _INVISIBLE_CATEGORIES or character in _INVISIBLE_LETTERS


def _json_type(value: object) -> str:
    if value is None:
        return "null"
    names = {bool: "a boolean", int: "a number", float: "a number", list: "an array", dict: "an object"}
    return names.get(type(value), type(value).__name__)
