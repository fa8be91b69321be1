"""Reads rows that are JSON: lines of jsonl, the items of an array. Fields come back as they were sent."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from api.http.echo import is_unicode
from api.http.json_values import require_few_values
from api.uploads.columns import MAX_COLUMNS, MAX_HEADER_CHARS, find_column, guess_text_name, shown
from api.uploads.decoding import CUT_BYTES, CutText, too_long
from api.uploads.json_items import MAX_ITEM_BYTES, items_of
from api.uploads.options import UploadOptions
from api.uploads.rows import bad_row, make_row, readable, undecodable
from shared.errors import MalformedRequestError, TooLargeError
from shared.jobs.records import Row
from shared.verdict import Failure

# A row that is nested deeper could not be read again by whatever reads it later.
MAX_DEPTH = 64
# A row of 1 MB can be an object of 60,000 fields, which would become 15 MB before its fields are counted.
MAX_ROW_VALUES = 20_000
_MAX_STEP_DIGITS = 6
_OBJECT_START = b"{"
# Raw values come back byte for byte: 1.10 stays 1.10, and a long number loses no digit.
_OBJECT: msgspec.json.Decoder[dict[str, msgspec.Raw]] = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ARRAY: msgspec.json.Decoder[list[msgspec.Raw]] = msgspec.json.Decoder(list[msgspec.Raw])
_BRACKETS = re.compile(rb'"(?:[^"\\]++|\\.)*+"|([\[{])|([\]}])', re.DOTALL)
# A document that is one object with its rows in a list under one of these names.
_LISTS = ("texts", "items", "data", "rows", "records", "comments", "reviews", "messages", "results")


class ObjectReader:
    """Makes rows of objects, or of bare strings.

    `text_column` is the field that holds the text, once the first object has come: a name, or a path such as
    `data.text`. `columns` are the fields seen, as far as a table can have them.
    """

    def __init__(self, options: UploadOptions, max_text_chars: int) -> None:
        self.text_column = options.text_column
        self.id_column = options.id_column
        self.columns: dict[str, None] = {}
        self._columns_chars = 0
        self._is_settled = False
        self._max_text_chars = max_text_chars

    def from_lines(self, lines: Iterable[str]) -> Iterator[Row]:
        """One row a line that is not blank."""
        for number, line in enumerate(lines, start=1):
            if isinstance(line, CutText):
                yield bad_row(number, "line_too_long", too_long(f"line {number}"), line)
            elif line.strip():
                yield self._from_text(number, line, f"line {number}")

    def from_items(self, items: Iterable[str]) -> Iterator[Row]:
        """One row an item; of a document that is a single object with a list of rows, one an item of that."""
        source = iter(items)
        first, second = next(source, None), next(source, None)
        if first is not None and second is None:
            yield from self.from_raw(_unfolded(first))
            return
        number = 0
        for given in (first, second):
            if given is not None:
                number += 1
                yield self._from_text(number, given, f"item {number}")
        for item in source:
            number += 1
            yield self._from_text(number, item, f"item {number}")

    def from_raw(self, items: Iterable[msgspec.Raw | str]) -> Iterator[Row]:
        """One row an item of an array that is already taken apart."""
        for number, item in enumerate(items, start=1):
            yield self._from_text(number, item if isinstance(item, str) else _as_text(item), f"item {number}")

    def _from_text(self, number: int, text: str, where: str) -> Row:
        if isinstance(text, CutText):
            return bad_row(number, "line_too_long", too_long(where, MAX_ITEM_BYTES), text)
        return self._from_whole(number, text, where)

    def _from_whole(self, number: int, text: str, where: str) -> Row:
        try:
            raw = text.strip().encode()
        except UnicodeEncodeError:
            return bad_row(number, "invalid_encoding", undecodable(number), text)
        try:
            require_few_values(raw, MAX_ROW_VALUES)
        except TooLargeError:
            return bad_row(number, "too_many_fields", f"{where} has more than {MAX_ROW_VALUES:,} values", text)
        if _depth(raw) > MAX_DEPTH:
            return bad_row(number, "malformed_json", f"{where} is nested deeper than {MAX_DEPTH} levels", text)
        try:
            value = _OBJECT.decode(raw) if raw.startswith(_OBJECT_START) else msgspec.json.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            value = _leniently(text)
            if value is None:
                return bad_row(number, "malformed_json", f"{where} is not JSON: {error}", text)
        if isinstance(value, dict):
            return self._from_object(number, text, value, where)
        return self._row(number, value, None, where)

    def _from_object(self, number: int, text: str, fields: dict[str, Any], where: str) -> Row:
        if len(fields) > MAX_COLUMNS:
            message = f"{where} has {len(fields):,} fields; at most {MAX_COLUMNS} are read"
            return bad_row(number, "too_many_fields", message, text)
        self._note(fields)
        name = self._text_name(fields)
        found = None if name is None else fields.get(name, value_at_path(fields, name))
        if name is None or found is None:
            wanted = repr(self.text_column) if self.text_column is not None else "that is known to hold the text"
            named = shown(list(fields))
            message = f"{where} has no field {wanted}; say text_column=NAME or a path such as data.text; it has {named}"
            return bad_row(number, "no_text", message, text)
        kept = {key: readable(value) if isinstance(value, str) else value for key, value in fields.items()}
        if name in fields:
            kept[name] = None
        return self._row(number, _value(found), kept, where)

    def _row(self, number: int, text: object, fields: object, where: str) -> Row:
        if isinstance(text, str) and not is_unicode(text):
            error = Failure("invalid_unicode", f"{where}: the text holds half of an emoji (a lone surrogate)")
            return Row(number, readable(text), msgspec.Raw(msgspec.json.encode(fields)), error)
        return make_row(number, text, fields, self._max_text_chars, where)

    def _note(self, fields: Mapping[str, Any]) -> None:
        if self.columns.keys() >= fields.keys():
            return
        for name in fields:
            if name not in self.columns and len(self.columns) < MAX_COLUMNS:
                self._columns_chars += len(name)
                if self._columns_chars <= MAX_HEADER_CHARS:
                    self.columns[name] = None

    def _text_name(self, fields: Mapping[str, Any]) -> str | None:
        """The field with the text, which the first object that has one settles for all."""
        if self._is_settled or self.text_column in fields:
            return self.text_column
        names = list(fields)
        place = _find(names, self.text_column)
        if place is not None:
            self.text_column, self._is_settled = names[place], True
        return self.text_column


def _as_text(item: msgspec.Raw) -> str:
    raw = memoryview(item)
    if len(raw) > MAX_ITEM_BYTES:
        return CutText(bytes(raw[:CUT_BYTES]).decode(errors="surrogateescape"))
    return bytes(raw).decode(errors="surrogateescape")


def _find(names: list[str], wanted: str | None) -> int | None:
    if wanted is None:
        return guess_text_name(names)
    if wanted.isdecimal():
        return None
    try:
        return find_column(names, wanted, "text_column")
    except MalformedRequestError:
        return None


def value_at_path(fields: Mapping[str, Any], path: str) -> Any:  # noqa: ANN401  JSON
    """The value at `data.text` or `choices.0.text`; None when there is none."""
    value: Any = fields
    for step in path.split("."):
        inner = _opened(value)
        if isinstance(inner, Mapping):
            value = inner.get(step)
        elif isinstance(inner, list) and step.isdecimal() and len(step) <= _MAX_STEP_DIGITS:
            value = inner[int(step)] if int(step) < len(inner) else None
        else:
            return None
    return value


def _opened(value: Any) -> Any:  # noqa: ANN401  JSON
    """One level of a raw value."""
    if not isinstance(value, msgspec.Raw):
        return value
    raw = bytes(memoryview(value))
    if raw.startswith(_OBJECT_START):
        return _OBJECT.decode(raw)
    return _ARRAY.decode(raw) if raw.startswith(b"[") else None


def _value(value: Any) -> Any:  # noqa: ANN401  JSON
    if not isinstance(value, msgspec.Raw):
        return value
    try:
        return msgspec.json.decode(value)
    except msgspec.DecodeError:
        # A number that no machine has.
        return 0


def _leniently(text: str) -> Any:  # noqa: ANN401  JSON
    """What Python and JavaScript write and the standard forbids: NaN becomes null, half an emoji a sign of its own.

    None when it is not even that.
    """
    try:
        value = json.loads(text, parse_constant=lambda _: None, parse_float=_number, parse_int=_number)
    except (ValueError, RecursionError):
        return None
    # The text may lack half an emoji, which makes an error of the row; elsewhere it costs only that sign.
    return {_clean(name): _kept(part) for name, part in value.items()} if isinstance(value, dict) else value


def _number(digits: str) -> msgspec.Raw:
    return msgspec.Raw(digits.encode())


def _kept(part: Any) -> Any:  # noqa: ANN401  JSON
    return part if isinstance(part, str) else _clean(part)


def _clean(value: Any) -> Any:  # noqa: ANN401  JSON
    if isinstance(value, str):
        return readable(value)
    if isinstance(value, dict):
        return {readable(name): _clean(part) for name, part in value.items()}
    return [_clean(part) for part in value] if isinstance(value, list) else value


def _depth(raw: bytes) -> int:
    """How deep brackets are nested; exact only where it could be too deep."""
    if raw.count(b"[") + raw.count(b"{") <= MAX_DEPTH:
        return 0
    depth = deepest = 0
    for found in _BRACKETS.finditer(raw):
        depth += bool(found[1]) - bool(found[2])
        deepest = max(deepest, depth)
    return deepest


def _unfolded(document: str) -> Iterator[msgspec.Raw | str]:
    """The items of the one list in a single object; the object itself when it is a row."""
    try:
        fields = _OBJECT.decode(document.strip().encode())
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return iter([document])
    place = guess_text_name(list(fields))
    lists = {name: value for name, value in fields.items() if bytes(memoryview(value)).startswith(b"[")}
    if place is not None and list(fields)[place] not in lists:
        return iter([document])
    chosen = [name for name in _LISTS if name in lists] or [name for name in lists if _has_objects(lists[name])]
    return items_of(lists[chosen[0]]) if chosen else iter([document])


def _has_objects(array: msgspec.Raw) -> bool:
    return bytes(memoryview(array))[1:].lstrip().startswith(_OBJECT_START)
