"""From bytes to lines of text, or to the items of a JSON array, in whatever encoding each of them is.

ASCII means the same in UTF-8 and in CP949, so it is passed on undecided. From the first other line on, a sample decides
what the file is. Files are also glued together from several, so each line is checked: one that only fits the other
encoding is read in that. A line that fits neither is marked by lone surrogates, and becomes an error row.
"""

import codecs
from collections.abc import Callable, Iterator
from itertools import chain

from api.uploads.encodings import (
    BOMS,
    CP949,
    LONGEST_BOM,
    LOOKED_AT_CHARS,
    MIN_KOREAN_SHARE,
    UTF8,
    fits_wide,
    guess_wide,
    is_cp949_in_disguise,
    is_damaged_utf8,
    is_plausible_cp949,
    is_surely_utf8,
    known_encoding,
    korean_share,
    strictly,
)
from api.uploads.steps import in_steps
from shared.errors import MalformedRequestError, TooLargeError

SAMPLE_BYTES = 1 << 16
# The row of a longer line is an error. Each upload may hold several times that.
MAX_LINE_BYTES = 1 << 20
# What is kept of it to be shown.
CUT_BYTES = 1 << 13
# A line that has not ended by then is no row of a file of texts; 1 MB of gzip may unpack to a gigabyte of it.
MAX_ENDLESS_BYTES = 32 << 20
# Blank lines make no row, and so no limit on rows: a gigabyte of them would take minutes.
MAX_BLANK_LINES, BLANK_LINES_PER_LINE = 2_000_000, 20
_MARK = "kobert-mark-invalid"
# One lone surrogate for whatever is not valid UTF-16 or UTF-32; `surrogateescape` makes a byte of it again.
codecs.register_error(_MARK, lambda error: ("\udcff", error.end))  # type: ignore[attr-defined]


class CutBytes(bytes):
    """The first `CUT_BYTES` of a line or item that is too long."""


class CutText(str):
    """As `CutBytes`, once it is decoded."""

    __slots__ = ()


# From pieces and the first of the bytes, for what they tell, to lines.
Splitter = Callable[[Iterator[bytes], bytes], Iterator[bytes]]


def table_lines(pieces: Iterator[bytes], _: bytes) -> Iterator[bytes]:
    """Lines that end at a line feed or a carriage return, as the rows of a table do."""
    return split_lines(pieces, ends_at_cr=True)


def text_lines(pieces: Iterator[bytes], head: bytes) -> Iterator[bytes]:
    """Lines that end at a line feed alone, since a comment may hold any other separator; if there are any."""
    return split_lines(pieces, ends_at_cr=_has_only_cr(head))


class Decoded:
    """Iterates lines of text with their ends; `encoding` is known when the first line that needs it has come.

    Raises:
        MalformedRequestError: `encoding` is given and not known, or the file is plainly not in it.
        TooLargeError: while iterating, when nearly all of very many lines are blank.
    """

    def __init__(self, pieces: Iterator[bytes], encoding: str | None, split: Splitter = text_lines) -> None:
        head, rest = _read_head(pieces)
        self._is_given = encoding is not None
        self.encoding = UTF8 if encoding is None else known_encoding(encoding)
        self.is_wide = False
        self._is_known = self._is_given
        head = self._settle(head)
        pieces = chain([head], rest)
        if self.is_wide:
            pieces = _narrowed(pieces, self.encoding)
            head = next(pieces, b"")
            pieces = chain([head], pieces)
        self.head = head
        self._lines = split(pieces, head)

    def __iter__(self) -> Iterator[str]:
        blanks_left = MAX_BLANK_LINES
        for line in self._lines:
            if line.isspace():
                blanks_left -= 1
                if not blanks_left:
                    raise TooLargeError("nearly all of the file's lines are blank; leave them out")
            else:
                blanks_left += BLANK_LINES_PER_LINE
            if self._is_known or line.isascii():
                yield self._text(line)
                continue
            sample = self._collect(line)
            self.encoding, self._is_known = guess_encoding(sample), True
            yield from map(self._text, sample)

    def _settle(self, head: bytes) -> bytes:
        """What the first bytes tell: a byte order mark, or the zeros of UTF-16. Returns them without the mark."""
        for bom, encoding in BOMS:
            if head.startswith(bom):
                self.encoding, self._is_known = encoding, True
                self.is_wide = encoding != UTF8
                return head[len(bom) :]
        if not self._is_given:
            wide = guess_wide(head) if b"\0" in head else None
            if wide is not None:
                self.encoding, self._is_known, self.is_wide = wide, True, True
        elif self.encoding.startswith(("utf-16", "utf-32")):
            self.encoding, self.is_wide = self._wide_order(head), True
        return head

    def _wide_order(self, head: bytes) -> str:
        """The byte order of a file without a mark, which is said to be UTF-16 or UTF-32."""
        orders = [self.encoding] if self.encoding.endswith("e") else [f"{self.encoding}-le", f"{self.encoding}-be"]
        for encoding in orders:
            if fits_wide(head, encoding):
                return encoding
        raise MalformedRequestError(
            f"the file is not {self.encoding}; leave encoding out, and it is found out", param="encoding"
        )

    def _collect(self, line: bytes) -> list[bytes]:
        sample = [line]
        size = len(line)
        while size < SAMPLE_BYTES and (more := next(self._lines, b"")):
            sample.append(more)
            size += len(more)
        return sample

    def _text(self, line: bytes) -> str:
        return CutText(self._decode(line)) if isinstance(line, CutBytes) else self._decode(line)

    def _decode(self, line: bytes) -> str:
        if line.isascii():
            return line.decode("ascii")
        if self.is_wide:
            return line.decode(UTF8, "surrogateescape")
        if self.encoding == UTF8:
            return self._decode_in_utf8_file(line)
        if self.encoding == CP949:
            return self._decode_in_cp949_file(line)
        return _escaped(line, self.encoding)

    def _decode_in_utf8_file(self, line: bytes) -> str:
        text = strictly(line, UTF8)
        if text is None and not self._is_given:
            text = strictly(line, CP949)
            if text is not None and (is_damaged_utf8(line) or korean_share(text) < MIN_KOREAN_SHARE):
                text = None
        return line.decode(UTF8, "surrogateescape") if text is None else text

    def _decode_in_cp949_file(self, line: bytes) -> str:
        text, as_utf8 = strictly(line, CP949), strictly(line, UTF8)
        share = 0.0 if text is None else korean_share(text)
        if as_utf8 is not None and is_surely_utf8(as_utf8) and (text is None or korean_share(as_utf8) > share):
            return _marked(line) if self._is_given else as_utf8
        if text is None:
            return _escaped(line, CP949)
        if as_utf8 is None and (is_damaged_utf8(line) or not is_plausible_cp949(text)):
            return _marked(line)
        return text


def guess_encoding(sample: list[bytes]) -> str:
    """UTF-8 or CP949, by the vote of lines that are not ASCII."""
    votes = {UTF8: 0, CP949: 0}
    disguised = 0
    for line in sample:
        if line.isascii() or isinstance(line, CutBytes):
            continue
        as_utf8, as_cp949 = strictly(line, UTF8), strictly(line, CP949)
        if as_utf8 is None:
            is_cp949 = as_cp949 is not None and not is_damaged_utf8(line) and is_plausible_cp949(as_cp949)
            votes[CP949 if is_cp949 else _less_faulty(line)] += 1
        elif is_cp949_in_disguise(as_utf8, as_cp949):
            disguised += 1
        elif korean_share(as_utf8) >= korean_share(as_cp949 or ""):
            votes[UTF8] += 1
    votes[CP949] += disguised if not votes[UTF8] else 0
    return CP949 if votes[CP949] > votes[UTF8] else UTF8


def split_lines(pieces: Iterator[bytes], *, ends_at_cr: bool) -> Iterator[bytes]:
    """Lines with their ends. Of a line over `MAX_LINE_BYTES` the beginning comes, as `CutBytes`.

    Raises:
        TooLargeError: while iterating, when a line does not end.
    """
    tail = bytearray()
    length = 0
    for piece in _with_whole_ends(pieces) if ends_at_cr else pieces:
        for line in piece.splitlines(keepends=True) if ends_at_cr else _split_at_line_feeds(piece):
            is_whole = line.endswith(b"\n") or (ends_at_cr and line.endswith(b"\r"))
            if is_whole and not tail and len(line) <= MAX_LINE_BYTES:
                yield line
                continue
            length += len(line)
            require_an_end(length, "line")
            tail += line[: MAX_LINE_BYTES - len(tail)]
            if is_whole:
                yield bytes(tail) if length <= MAX_LINE_BYTES else CutBytes(tail[:CUT_BYTES])
                length = 0
                tail.clear()
    if tail:
        yield bytes(tail) if length <= MAX_LINE_BYTES else CutBytes(tail[:CUT_BYTES])


def require_an_end(length: int, what: str) -> None:
    """Check that a line or item, of which so many bytes have come, is not endless.

    Raises:
        TooLargeError: it is.
    """
    if length > MAX_ENDLESS_BYTES:
        raise TooLargeError(
            f"a {what} of the file does not end within {MAX_ENDLESS_BYTES:,} bytes; is it a file of texts, each in a "
            f"{what} of its own?"
        )


def too_long(where: str, most: int = MAX_LINE_BYTES) -> str:
    """What to say of a line or item that was cut."""
    return f"{where} has more than {most:,} bytes; make it shorter, or leave out columns that are not needed"


def _with_whole_ends(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes, with no carriage return parted from the line feed that follows it."""
    is_held = False
    for piece in pieces:
        whole = b"\r" + piece if is_held else piece
        is_held = whole.endswith(b"\r")
        yield whole[:-1] if is_held else whole
    if is_held:
        yield b"\r"


def _split_at_line_feeds(piece: bytes) -> Iterator[bytes]:
    *lines, tail = piece.split(b"\n")
    for line in lines:
        yield line + b"\n"
    if tail:
        yield tail


def _read_head(pieces: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """So much of the file that its encoding and its line ends can be told, and the rest."""
    head = bytearray()
    rest = iter(pieces)
    for piece in rest:
        head += piece
        if len(head) >= max(SAMPLE_BYTES, LONGEST_BOM):
            break
    return bytes(head), rest


def _has_only_cr(head: bytes) -> bool:
    # At the very end of the sample a line feed may still follow.
    return b"\n" not in head and b"\r" in head[: max(len(head) - 1, 0) if len(head) >= SAMPLE_BYTES else None]


def _narrowed(pieces: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """UTF-16 or UTF-32 as UTF-8; what is not valid there is not valid here."""
    decoder = codecs.getincrementaldecoder(encoding)(_MARK)
    for piece in pieces:
        yield decoder.decode(piece).encode(UTF8, "surrogateescape")
    yield decoder.decode(b"", final=True).encode(UTF8, "surrogateescape")


def _less_faulty(line: bytes) -> str:
    start = line[:LOOKED_AT_CHARS]
    return min((UTF8, CP949), key=lambda encoding: start.decode(encoding, "replace").count("\ufffd"))


def _escaped(line: bytes, encoding: str) -> str:
    """The line, with a lone surrogate for each byte that is not in the encoding."""
    decoder = codecs.getincrementaldecoder(encoding)("surrogateescape")
    return in_steps(decoder.decode, line) + decoder.decode(b"", final=True)


def _marked(line: bytes) -> str:
    """The line with all that is not ASCII marked as undecodable."""
    return line.decode("ascii", "surrogateescape")
