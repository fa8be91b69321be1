"""Unpacks gzip on the way, by its magic bytes whatever the name says, and stops a bomb at the size limit."""

import zlib
from collections.abc import Iterator

from shared.errors import MalformedRequestError, TooLargeError

GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WINDOW = 31
# Unpacked at a time.
_STEP_BYTES = 1 << 18


def unpacked(pieces: Iterator[bytes], max_bytes: int) -> Iterator[bytes]:
    """The pieces as they are, or unpacked when they begin as gzip does.

    Raises:
        TooLargeError: more than `max_bytes` come out.
        MalformedRequestError: the gzip stream is damaged or cut short.
    """
    head = b""
    for piece in pieces:
        head += piece
        if len(head) >= len(GZIP_MAGIC):
            break
    if head.startswith(GZIP_MAGIC):
        yield from _limited(_gunzip(head, pieces), max_bytes)
    else:
        yield head
        yield from pieces


def _gunzip(head: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    member = zlib.decompressobj(_GZIP_WINDOW)
    data = head
    try:
        while True:
            while data and not member.eof:
                yield member.decompress(data, _STEP_BYTES)
                data = member.unconsumed_tail
            if member.eof:
                # Files put one after the other are one file, says RFC 1952; zeros at the end are padding.
                data = member.unused_data.lstrip(b"\0") or next(pieces, b"")
                if not data.strip(b"\0"):
                    return
                member = zlib.decompressobj(_GZIP_WINDOW)
            else:
                data = next(pieces, b"")
                if not data:
                    raise MalformedRequestError("the gzip file is cut short; send it again")
    except zlib.error as error:
        raise MalformedRequestError(f"the gzip file is damaged ({error})") from error


def _limited(pieces: Iterator[bytes], max_bytes: int) -> Iterator[bytes]:
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > max_bytes:
            raise TooLargeError(f"the file unpacks to more than {max_bytes:,} bytes (MAX_JOB_BYTES); split it")
        yield piece
