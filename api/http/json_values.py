"""Counts the values of a JSON document before it is parsed: 8 MB of `[],[],` would become 200 MB of objects."""

import re

from shared.errors import TooLargeError

# Python's objects for so many values take some 7 MB.
MAX_VALUES = 100_000
_SIGNS = (b",", b"[", b"{")
# A string as it is written; the last one may lack its end.
_STRING = re.compile(rb'"(?:[^"\\]++|\\.?)*+"?', re.DOTALL)
_STEP_BYTES = 1 << 20


def require_few_values(raw: bytes | bytearray, max_values: int = MAX_VALUES) -> None:
    """Check that a document has at most `max_values` values; takes no longer the more it has.

    Raises:
        TooLargeError: it has more.
    """
    if _has_few_signs(raw, max_values):
        return
    values = end = 0
    for string in _STRING.finditer(raw):
        values += 1 + _count(raw[end : string.start()])
        end = string.end()
        if values > max_values:
            break
    if values + _count(raw[end : end + _STEP_BYTES]) > max_values or not _has_few_signs(raw[end:], max_values):
        raise TooLargeError(f"the body has more than {max_values:,} values; send it in parts, or as a file to /jobs")


def _has_few_signs(raw: bytes | bytearray, max_values: int) -> bool:
    """Whether there are few values even if every sign is one; looks no further than it has to."""
    count = 0
    for start in range(0, len(raw), _STEP_BYTES):
        count += _count(raw[start : start + _STEP_BYTES])
        if count > max_values:
            return False
    return True


def _count(piece: bytes | bytearray) -> int:
    return sum(map(piece.count, _SIGNS))
