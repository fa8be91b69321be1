"""Reads rows that are JSON objects: lines of jsonl, the items of a JSON body. Every other field comes back as sent."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from api.uploads.options import UploadOptions
from api.uploads.rows import TEXT_NAMES, bad_row, make_row
from shared.jobs.records import Row

# Of so many different fields a table is made when one is asked for; the others come back in jsonl alone.
MAX_COLUMNS = 200
_OBJECT_START = b"{"
# Raw values come back byte for byte: 1.10 stays 1.10, and a long number loses no digit.
_OBJECT: msgspec.json.Decoder[dict[str, msgspec.Raw]] = msgspec.json.Decoder(dict[str, msgspec.Raw])


class ObjectReader:
    """Makes rows of objects, or of bare strings.

    `text_column` is the field that holds the text, once the first object has come; `columns` are all fields seen.
    """

    def __init__(self, options: UploadOptions, max_text_chars: int) -> None:
        self.text_column = options.text_column
        self.id_column = options.id_column
        self.columns: dict[str, None] = {}
        self._max_text_chars = max_text_chars

    def from_lines(self, lines: Iterable[str]) -> Iterator[Row]:
        """One row a line that is not blank."""
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield self._from_line(number, line)

    def from_items(self, items: Iterable[msgspec.Raw]) -> Iterator[Row]:
        """One row an item."""
        for number, item in enumerate(items, start=1):
            yield self._from_json(number, bytes(memoryview(item)))

    def _from_line(self, number: int, line: str) -> Row:
        try:
            return self._from_json(number, line.strip().encode())
        except UnicodeEncodeError:
            message = f"line {number} holds bytes that are not in the file's encoding"
            return bad_row(number, "invalid_encoding", message, line)

    def _from_json(self, number: int, raw: bytes) -> Row:
        try:
            if raw.startswith(_OBJECT_START):
                return self._from_object(number, raw, _OBJECT.decode(raw))
            value = msgspec.json.decode(raw)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            return bad_row(number, "malformed_json", f"line {number} is no JSON object: {error}", raw.decode())
        return make_row(number, value, None, self._max_text_chars)

    def _from_object(self, number: int, raw: bytes, fields: Mapping[str, Any]) -> Row:
        if len(self.columns) < MAX_COLUMNS:
            self.columns.update(dict.fromkeys(fields))
        name = self._text_name(fields)
        if name is None:
            wanted = self.text_column or "text"
            message = f"line {number} has no field {wanted!r}; say text_column=NAME if it is another"
            return bad_row(number, "no_text", message, raw.decode())
        return make_row(number, msgspec.json.decode(fields[name]), {**fields, name: None}, self._max_text_chars)

    def _text_name(self, fields: Mapping[str, Any]) -> str | None:
        if self.text_column is None:
            known = [name for name in fields if name.strip().lower() in TEXT_NAMES]
            if len(known) == 1:
                self.text_column = known[0]
        return self.text_column if self.text_column in fields else None
