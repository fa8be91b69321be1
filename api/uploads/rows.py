"""What every format shares in making rows: the check of a text, error rows, and how a text column is found."""

from collections.abc import Sequence

import msgspec

from api.http.texts import check_text
from shared.errors import MalformedRequestError, TextRejectedError
from shared.jobs.records import Row, RowError

# A file whose text column has one of these names need not say so.
_ENGLISH = ("text", "comment", "comments", "content", "contents", "message", "body", "review", "sentence", "document")
_KOREAN = ("텍스트", "댓글", "내용", "본문", "문장", "리뷰", "후기", "메시지", "글")
TEXT_NAMES = frozenset(_ENGLISH + _KOREAN)
_MAX_RAW_CHARS = 1_000
_encode = msgspec.json.Encoder().encode


def make_row(line: int, text: object, fields: object, max_text_chars: int) -> Row:
    """A row, or an error row when its text cannot be classified; `fields` is the user's row without its text."""
    try:
        raw = msgspec.Raw(_encode(fields))
        return Row(line, check_text(text, f"line {line}", max_text_chars), raw)
    except TextRejectedError as error:
        return Row(line, readable(text), raw, RowError(error.code, error.message))
    except UnicodeEncodeError:
        return _unreadable(line, text, fields)


def bad_row(line: int, code: str, message: str, raw: str) -> Row:
    """An error row of which nothing but the line as it was sent can be kept."""
    return Row(line, None, msgspec.Raw(_encode(readable(raw[:_MAX_RAW_CHARS]))), RowError(code, message))


def readable(value: object) -> str | None:
    """A string with what is no valid Unicode replaced, so that it can be stored; None for what is no string."""
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if isinstance(value, str) else None


def find_text_name(names: Sequence[str], wanted: str | None) -> int | None:
    """The place of the text column: as named, or the one with a known name. None when it is not plain."""
    if wanted is not None:
        return find_name(names, wanted, "text_column")
    known = [index for index, name in enumerate(names) if name.strip().lower() in TEXT_NAMES]
    return known[0] if len(known) == 1 else None


def find_name(names: Sequence[str], wanted: str, option: str) -> int:
    """The place of a column that the client named, by name or by number from 1.

    Raises:
        MalformedRequestError: there is none.
    """
    if wanted in names:
        return names.index(wanted)
    if wanted.isdecimal() and 1 <= int(wanted) <= len(names):
        return int(wanted) - 1
    raise MalformedRequestError(
        f"{option}={wanted}: there is no such column; the file has {shown(names)}", param=option
    )


def shown(names: Sequence[str]) -> str:
    """Column names for an error message."""
    return ", ".join(repr(name[:40]) for name in names[:20]) or "none"


def _unreadable(line: int, text: object, fields: object) -> Row:
    """A row with bytes that its encoding does not have."""
    cells = [readable(cell) for cell in fields] if isinstance(fields, list) else None
    message = f"line {line} holds bytes that are not in the file's encoding; say encoding=utf-8 or encoding=cp949"
    return Row(line, readable(text), msgspec.Raw(_encode(cells)), RowError("invalid_encoding", message))
