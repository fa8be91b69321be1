"""Unpacks a body that came with `Content-Encoding: gzip` or `deflate`, within a bound on what it unpacks to."""

import zlib
from collections.abc import Iterator

from shared.errors import MalformedRequestError, TooLargeError, UnsupportedMediaError

CODINGS = ("gzip", "deflate")
# Unpacked at a time: a millisecond.
STEP_BYTES = 256 * 1024
# zlib's names for its formats: gzip with its header, zlib with its own, and deflate without any.
_GZIP, _ZLIB, _RAW = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS


class Unpacker:
    """Takes a packed body piece by piece; nothing is unpacked beyond `max_bytes`."""

    def __init__(self, coding: str, max_bytes: int) -> None:
        self._coding = coding
        self._max_bytes = max_bytes
        self._stream = zlib.decompressobj(_GZIP) if coding == "gzip" else None
        self._unpacked = bytearray()
        self._size = 0

    def feed(self, piece: bytes) -> Iterator[int]:
        """Take the next piece step by step: how many bytes each step unpacked to. Others may go on between two.

        Raises:
            MalformedRequestError: it is not in the coding that the header names.
            TooLargeError: the body unpacks to more than `max_bytes`.
        """
        size = 0
        try:
            # After a full step there may be more to come of bytes that were all taken.
            while piece or (size == STEP_BYTES and self._stream is not None and not self._stream.eof):
                before = self._size
                piece = self._unpack(piece)
                size = self._size - before
                yield size
        except zlib.error as error:
            raise MalformedRequestError(
                f"the body is not {self._coding}, which its Content-Encoding names: {error}"
            ) from error

    def take(self) -> bytes:
        """What was unpacked since, for those who do not want it as a whole."""
        taken = bytes(self._unpacked)
        self._unpacked.clear()
        return taken

    def end(self) -> bytearray:
        """The whole body, or what was not taken of it.

        Raises:
            MalformedRequestError: it was cut short.
        """
        if self._stream is not None and not self._stream.eof:
            raise MalformedRequestError(f"the {self._coding} body ends too early; send it again")
        return self._unpacked

    def _unpack(self, piece: bytes) -> bytes:
        """Unpack a piece up to its end, or to that of a gzip file in it; returns what follows."""
        if self._stream is None:
            # HTTP's deflate has zlib's header, which some clients leave out; its first byte names method 8.
            self._stream = zlib.decompressobj(_ZLIB if piece[0] & 0x0F == zlib.DEFLATED else _RAW)
        elif self._stream.eof:
            # gzip allows several files after each other.
            if self._coding != "gzip":
                raise zlib.error("there is more behind its end")
            self._stream = zlib.decompressobj(_GZIP)
        # One byte over the bound tells a body that is too large from one that just fits.
        step = self._stream.decompress(piece, min(STEP_BYTES, self._max_bytes + 1 - self._size))
        self._unpacked += step
        self._size += len(step)
        if self._size > self._max_bytes:
            raise TooLargeError(
                f"the body unpacks to more than {self._max_bytes:,} bytes (MAX_BODY_BYTES); send it in parts"
            )
        return self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail


def coding_of(header: str) -> str | None:
    """The one coding that a Content-Encoding header names; None for a body as it is.

    Raises:
        UnsupportedMediaError: another coding, or several.
    """
    names = [name for part in header.lower().split(",") if (name := part.strip()) not in {"", "identity"}]
    if not names:
        return None
    coding = "gzip" if names[0] == "x-gzip" else names[0]
    if len(names) > 1 or coding not in CODINGS:
        raise UnsupportedMediaError(
            f"the body came as Content-Encoding: {header[:40]}; send it as {' or '.join(CODINGS)}, or as it is"
        )
    return coding
