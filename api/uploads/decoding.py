"""Decodes bytes to lines of text. Detects the encoding at the first non-ASCII byte, however late it comes.

ASCII means the same in UTF-8 and in CP949, so it is passed on undecided. From the first other byte on, a sample is
taken: strictly UTF-8, else strictly CP949, else the one with fewer faults. Bytes that do not fit later become lone
surrogates, by which the row readers find the row at fault.
"""

import codecs
from collections.abc import Iterator
from itertools import chain

from shared.errors import MalformedRequestError

SAMPLE_BYTES = 1 << 16
# A longer line is cut: no row may be that long, and its reader will say so.
MAX_LINE_CHARS = 4 << 20
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_LONGEST_BOM = 3
_CANDIDATES = ("utf-8", "cp949")


class Decoded:
    """Iterates pieces of text; `encoding` is known when the first piece that needs it has come.

    Raises:
        MalformedRequestError: `encoding` is given and no encoding of text.
    """

    def __init__(self, pieces: Iterator[bytes], encoding: str | None) -> None:
        self.encoding = "utf-8" if encoding is None else _codec_name(encoding)
        self._is_known = encoding is not None
        self._pieces = pieces

    def __iter__(self) -> Iterator[str]:
        head = self._without_bom(self._read_head())
        pieces = chain([head], self._pieces)
        if not self._is_known:
            for piece in pieces:
                if not piece.isascii():
                    sample = self._collect(piece)
                    self.encoding = guess_encoding(sample)
                    pieces = chain([sample], self._pieces)
                    break
                yield piece.decode("ascii")
        yield from self._decode(pieces)

    def _read_head(self) -> bytes:
        head = b""
        for piece in self._pieces:
            head += piece
            if len(head) >= _LONGEST_BOM:
                break
        return head

    def _without_bom(self, head: bytes) -> bytes:
        for bom, encoding in _BOMS:
            if head.startswith(bom):
                self.encoding, self._is_known = encoding, True
                return head[len(bom) :]
        return head

    def _collect(self, piece: bytes) -> bytes:
        sample = [piece]
        size = len(piece)
        while size < SAMPLE_BYTES and (more := next(self._pieces, b"")):
            sample.append(more)
            size += len(more)
        return b"".join(sample)

    def _decode(self, pieces: Iterator[bytes]) -> Iterator[str]:
        errors = "replace" if self.encoding.startswith("utf-16") else "surrogateescape"
        decoder = codecs.getincrementaldecoder(self.encoding)(errors)
        for piece in pieces:
            yield decoder.decode(piece)
        yield decoder.decode(b"", final=True)


def guess_encoding(sample: bytes) -> str:
    """UTF-8 or CP949; `sample` may end within a character."""
    for encoding in _CANDIDATES:
        try:
            codecs.getincrementaldecoder(encoding)("strict").decode(sample)
        except UnicodeDecodeError:
            continue
        return encoding
    return min(_CANDIDATES, key=lambda encoding: sample.decode(encoding, "replace").count("\ufffd"))


def split_lines(pieces: Iterator[str]) -> Iterator[str]:
    """Lines with their line feed. Only a line feed ends a line: a comment may hold any other separator."""
    tail = ""
    is_cut = False
    for piece in pieces:
        first, *rest = piece.split("\n")
        tail = tail if is_cut else tail + first
        is_cut = len(tail) > MAX_LINE_CHARS
        tail = tail[:MAX_LINE_CHARS]
        if rest:
            yield tail + "\n"
            *lines, tail = rest
            is_cut = False
            for line in lines:
                yield line + "\n"
    if tail:
        yield tail


def _codec_name(encoding: str) -> str:
    try:
        info = codecs.lookup(encoding)
    except LookupError:
        info = None
    if info is None or not info._is_text_encoding:  # noqa: SLF001  the one way to tell text from base64 and the like
        raise MalformedRequestError(f"encoding={encoding} is unknown; use utf-8 or cp949", param="encoding")
    return "utf-8-sig" if info.name == "utf-8" else info.name
