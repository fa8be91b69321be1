"""Tells by its first bytes what a file is, whatever its name says."""

import re
from collections.abc import Iterator
from itertools import chain

from shared.errors import MalformedRequestError, UnsupportedMediaError

SNIFFED_BYTES = 1 << 10
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_PARQUET = b"PAR1"
# Old Excel files, and new ones with a password.
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_WEB_PAGE = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html|head|meta|table|body)\b", re.IGNORECASE)
_XML = re.compile(rb"(?:\xef\xbb\xbf)?\s*<\?xml", re.IGNORECASE)
_TABLES = frozenset(("csv", "tsv", "xls", "xlsx"))


def peek(pieces: Iterator[bytes], size: int = SNIFFED_BYTES) -> tuple[bytes, Iterator[bytes]]:
    """The first bytes, and all pieces still."""
    taken: list[bytes] = []
    left = size
    for piece in pieces:
        taken.append(piece)
        left -= len(piece)
        if left <= 0:
            break
    return b"".join(taken)[:size], chain(taken, pieces)


def true_format(head: bytes, file_format: str, *, is_said: bool) -> str:
    """The format to read: the content's own where it is plain and the client did not say another.

    Raises:
        UnsupportedMediaError: an old Excel file, or a web page that is called one.
        MalformedRequestError: the file is not what `format=` says.
    """
    if head.startswith(_OLE):
        raise UnsupportedMediaError(
            "the file is an old Excel file (.xls) or has a password; save it as .xlsx without one and send that",
            param="format",
        )
    if file_format in _TABLES and (_WEB_PAGE.match(head) or (_XML.match(head) and file_format.startswith("xls"))):
        raise UnsupportedMediaError(
            "the file is a web page, whatever its name says; open it in Excel and save it as .xlsx or CSV",
            param="format",
        )
    own = "xlsx" if head.startswith(_ZIP) else "parquet" if head.startswith(_PARQUET) else None
    if own == file_format:
        return file_format
    if own is not None and not is_said:
        return own
    if own is not None:
        raise MalformedRequestError(f"the file is {own}, not {file_format}", param="format")
    if file_format == "xlsx":
        raise MalformedRequestError(
            "the file is not xlsx, whatever its name says; open it in Excel and save it as .xlsx or CSV", param="format"
        )
    # Programs give the ending .xls to tables of plain text, separated by tabs.
    return "tsv" if file_format == "xls" else file_format
