"""What separates the cells of a table of text: as Excel's `sep=;` line says, or as the header shows."""

import re

from api.uploads.columns import guess_text_name
from shared.errors import MalformedRequestError

SEPARATORS = (",", "\t", ";", "|")
# It stands in names, too; beside another one it separates nothing.
_RARE = "|"
# Excel's own way to say what separates cells: a line before the header.
_SEPARATOR_LINE = re.compile(r'"?sep=([^"\x00-\x08\x0a-\x1f]|\\t)"?[,;\t]*\s*', re.IGNORECASE)
# Such a line with more than one character, or none.
_NO_SEPARATOR = re.compile(r'"?sep=(\S{0,9}?)"?[,;\t]*\s*', re.IGNORECASE)
# Of a header with more separators none is guessed by its names.
MAX_GUESSED_NAMES = 4_096
_QUOTED = re.compile(r'"[^"]*"')


def said_separator(line: str) -> str | None:
    """What a line says that separates cells; None for any other line.

    Raises:
        MalformedRequestError: it says more than one character, or none.
    """
    said = _SEPARATOR_LINE.fullmatch(line)
    if said is not None:
        return "\t" if said[1] == "\\t" else said[1]
    wrong = _NO_SEPARATOR.fullmatch(line)
    if wrong is not None:
        raise MalformedRequestError(
            f"the line sep={wrong[1]} does not say with one character what separates cells; write for example sep=; or "
            "delete the line"
        )
    return None


def separator_of(header: str, default: str, wanted: str | None) -> str:
    """The separator that yields a text column, or most cells: not all that is called csv has commas."""
    bare = _QUOTED.sub("", header)
    candidates = [default, *(separator for separator in SEPARATORS if separator != default)]
    counted = [separator for separator in candidates if separator in bare]
    if len(counted) > 1 and default != _RARE:
        counted = [separator for separator in counted if separator != _RARE]
    for separator in counted:
        if header.count(separator) > MAX_GUESSED_NAMES:
            continue
        names = [name.strip(' "\r\n') for name in header.split(separator)]
        if (wanted in names) if wanted is not None else guess_text_name(names) is not None:
            return separator
    return counted[0] if default in counted else max(counted, key=bare.count, default=default)
