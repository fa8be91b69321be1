"""What every format shares in making rows: the check of a text, and error rows."""

import msgspec

from api.http.echo import is_unicode
from api.http.texts import check_text
from api.uploads.steps import in_steps
from shared.errors import TextRejectedError
from shared.jobs.records import Row
from shared.verdict import Failure

_MAX_RAW_CHARS = 1_000
_encode = msgspec.json.Encoder().encode


def make_row(line: int, text: object, fields: object, max_text_chars: int, where: str | None = None) -> Row:
    """A row, or an error row when its text cannot be classified; `fields` is the user's row without its text.

    Lone surrogates stand for bytes that could not be decoded.
    """
    try:
        raw = msgspec.Raw(_encode(fields))
        return Row(line, check_text(text, where or f"line {line}", max_text_chars), raw)
    except TextRejectedError as error:
        if error.code == "invalid_unicode":
            return _unreadable(line, text, fields)
        return Row(line, readable(text), raw, Failure(error.code, error.message))
    except UnicodeEncodeError:
        return _unreadable(line, text, fields)


def bad_row(line: int, code: str, message: str, raw: str) -> Row:
    """An error row that keeps only the line as it was sent, without its line break."""
    kept = readable(raw[:_MAX_RAW_CHARS].rstrip("\r\n"))
    return Row(line, None, msgspec.Raw(_encode(kept)), Failure(code, message))


def readable(value: object) -> str | None:
    """A string whose invalid Unicode is replaced, so that it can be stored; None for anything but a string."""
    if not isinstance(value, str):
        return None
    if is_unicode(value):
        return value
    return in_steps(_replaced, value)


def _replaced(part: str) -> str:
    return part.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def undecodable(line: int) -> str:
    """What to say of bytes that no encoding of the file has."""
    return (
        f"line {line} holds bytes that are not in the file's encoding; save the file as UTF-8, "
        "or say encoding=utf-8 or encoding=cp949"
    )


def _unreadable(line: int, text: object, fields: object) -> Row:
    """A row with bytes that its encoding does not have."""
    cells = [readable(cell) if isinstance(cell, str) else cell for cell in fields] if isinstance(fields, list) else None
    error = Failure("invalid_encoding", undecodable(line))
    return Row(line, readable(text), msgspec.Raw(_encode(cells)), error)
