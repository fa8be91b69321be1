"""Splits a JSON document into its items as it streams in: the elements of an array, or objects one after the other."""

import re
from collections.abc import Iterator

import msgspec

from api.uploads.decoding import CUT_BYTES, CutBytes, require_an_end, split_lines, text_lines
from shared.errors import MalformedRequestError, TooLargeError

# An array up to here is taken apart at once.
FEW_BYTES = 1 << 16
# In UTF-8 and in CP949 these bytes are never part of another character.
_OUTSIDE = re.compile(rb'["\[\]{},]')
_INSIDE = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
# Within an item: everything up to a bracket that does not close again before the next one opens. Each byte is looked at
# twice at most.
_PLAIN = rb'[^"\[\]{}]++|"(?:[^"\\]++|\\.)*+"'
_WITHIN = re.compile(rb"(?:%b|[\[{](?:%b)*+[\]}])*+" % (_PLAIN, _PLAIN), re.DOTALL)
# Brackets of one item that have others in them. They take a quarter of a second of the processor; a document of texts
# has a hundred thousand at most, since it may have `MAX_ITEM_BYTES`.
MAX_BRACKETS = 250_000
# A document may be one item. Of a longer one the beginning is kept, and it is an error.
MAX_ITEM_BYTES = 4 << 20
_OPENING = frozenset(b"[{")
_CLOSING = frozenset(b"]}")
_QUOTE, _BACKSLASH, _COMMA = b'"\\,'


def json_rows(pieces: Iterator[bytes], head: bytes) -> Iterator[bytes]:
    """The lines of a file that should have a value in each, or the items when it is one array after all."""
    return json_items(pieces, head) if is_array(head) else text_lines(pieces, head)


def is_array(head: bytes) -> bool:
    """Whether a document is one array, not an array a line."""
    return head.lstrip().startswith(b"[") and not has_json_lines(head)


def json_items(pieces: Iterator[bytes], head: bytes) -> Iterator[bytes]:
    """The items of a document whose first bytes are `head`: those of its array, its objects, or else its lines.

    Raises:
        MalformedRequestError: while iterating, when the array or an object is never closed.
        TooLargeError: while iterating, when an item does not end.
    """
    first = head.lstrip()
    if has_json_lines(head) or not first.startswith((b"[", b"{")):
        return split_lines(pieces, ends_at_cr=True)
    return _Items(is_array=first.startswith(b"[")).split(pieces)


def array_items(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The items of a document that is known to be one array."""
    return _Items(is_array=True).split(pieces)


def items_of(array: msgspec.Raw) -> Iterator[msgspec.Raw | str]:
    """The items of an array; of a large one without a list of them, which would be many times its size."""
    raw = memoryview(array)
    if len(raw) <= FEW_BYTES:
        try:
            return iter(msgspec.json.decode(raw, type=list[msgspec.Raw]))
        except (msgspec.DecodeError, RecursionError):
            pass
    return _split(raw)


def _split(raw: memoryview) -> Iterator[str]:
    if bytes(raw[:1]) == b"[":
        pieces = (bytes(raw[start : start + FEW_BYTES]) for start in range(0, len(raw), FEW_BYTES))
        yield from (item.decode(errors="surrogateescape") for item in array_items(pieces))


def has_json_lines(head: bytes) -> bool:
    """Whether the first line is a whole value, and is not the only one."""
    line, end, rest = head.strip().replace(b"\r", b"\n").partition(b"\n")
    if not end or not rest.strip():
        return False
    try:
        msgspec.json.decode(line, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


class _Items:
    """Walks brackets and strings. Of an item over `MAX_ITEM_BYTES` the beginning comes, as `CutBytes`."""

    def __init__(self, *, is_array: bool) -> None:
        # Items stand within the brackets of the array, or side by side.
        self._level = 1 if is_array else 0
        self._depth = 0
        self._in_string = self._is_escaped = False
        self._item = bytearray()
        self._length = self._brackets = 0

    def split(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """The items, without the commas between them."""
        for piece in pieces:
            yield from self._walk(piece)
        if self._depth or self._in_string:
            raise MalformedRequestError(
                "the JSON ends before its last bracket or quote is closed; was the file cut short?"
            )
        yield from self._whole()

    def _walk(self, piece: bytes) -> Iterator[bytes]:
        start = place = 0
        while place < len(piece):
            if self._in_string:
                place = self._end_string(piece, place)
                continue
            at = self._next_sign(piece, place)
            if at == len(piece):
                break
            sign, place = piece[at], at + 1
            if sign == _QUOTE:
                self._in_string = True
            elif self._is_border(sign):
                self._keep(piece[start:at])
                yield from self._whole()
                start = place
            elif self._depth == self._level and sign in _CLOSING:
                # The end of an object that has no comma behind it.
                self._keep(piece[start:place])
                start = place
                if self._level == 0:
                    yield from self._whole()
        self._keep(piece[start:])

    def _next_sign(self, piece: bytes, place: int) -> int:
        """Where the next bracket, quote or comma stands that has to be looked at; the end of the piece without one."""
        if self._depth > self._level:
            return _end_of(_WITHIN, piece, place)
        found = _OUTSIDE.search(piece, place)
        return len(piece) if found is None else found.start()

    def _end_string(self, piece: bytes, place: int) -> int:
        """Where the string that goes on at `place` ends, or the piece."""
        if self._is_escaped:
            self._is_escaped = False
            return place + 1
        place = _end_of(_INSIDE, piece, place)
        if place == len(piece):
            return place
        self._is_escaped = piece[place] == _BACKSLASH
        self._in_string = self._is_escaped
        return place + 1

    def _is_border(self, sign: int) -> bool:
        """Keep count of the brackets; returns whether this sign is no part of an item."""
        was = self._depth
        if was > self._level:
            self._note_bracket()
        self._depth = max(0, was + (sign in _OPENING) - (sign in _CLOSING))
        if sign == _COMMA:
            return was <= self._level
        return self._level == 1 and (was, self._depth) in {(0, 1), (1, 0)}

    def _note_bracket(self) -> None:
        self._brackets += 1
        if self._brackets > MAX_BRACKETS:
            raise TooLargeError(
                f"an item of the JSON has more than {MAX_BRACKETS:,} nested brackets; send its list alone, or jsonl"
            )

    def _keep(self, data: bytes) -> None:
        self._length += len(data)
        require_an_end(self._length, "item")
        self._item += data[: MAX_ITEM_BYTES - len(self._item)]

    def _whole(self) -> Iterator[bytes]:
        item = bytes(self._item).strip() if self._length <= MAX_ITEM_BYTES else CutBytes(self._item[:CUT_BYTES])
        self._item.clear()
        self._length = self._brackets = 0
        if item:
            yield item


def _end_of(pattern: re.Pattern[bytes], piece: bytes, place: int) -> int:
    """Where what matches `pattern` from `place` on ends; it matches nothing at least."""
    found = pattern.match(piece, place)
    return place if found is None else found.end()
