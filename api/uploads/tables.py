"""Reads csv and tsv, row by row: quoted cells may hold separators, quotes and line ends."""

import re
from collections.abc import Iterator
from itertools import chain, islice

from api.uploads.columns import (
    MAX_COLUMNS,
    ROWS_BEHIND_TITLE,
    check_columns,
    find_column,
    find_text_column,
    guess_text_name,
    may_be_title,
    refuse_title,
)
from api.uploads.csv_records import MAX_SEPARATORS, CsvRecords, Record
from api.uploads.options import UploadOptions
from api.uploads.rows import bad_row, make_row
from shared.errors import MalformedRequestError, TooLargeError
from shared.jobs.records import Row

_SEPARATORS = (",", "\t", ";")
# Excel's own way to say what separates cells: a line before the header.
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?[,;\t]*\s*', re.IGNORECASE)
# Of a header with more separators none is guessed by its names.
MAX_GUESSED_NAMES = 4_096
_BLANK = ' \t\r\n,;"'
_QUOTED = re.compile(r'"[^"]*"')


class TableReader:
    """Iterates the rows; `columns`, `text_at` and `id_column` are known from the start.

    Raises:
        MalformedRequestError: there is no header, or no plain text column in it.
        TooLargeError: there are too many columns.
    """

    def __init__(self, lines: Iterator[str], options: UploadOptions, *, separator: str, max_text_chars: int) -> None:
        self._max_text_chars = max_text_chars
        first, line = _first_filled(lines, 1)
        said = _SEPARATOR_LINE.fullmatch(first)
        if said is not None:
            first, line = _first_filled(lines, line + 1)
        self._separator = said[1] if said is not None else _separator_of(first, separator, options.text_column)
        self._reader = CsvRecords(chain([first], lines), self._separator, line)
        self._records = iter(self._reader)
        self._pending: list[Record] = []
        self.columns = self._read_columns(options)
        self._reader.width = len(self.columns)
        self.text_at = find_text_column(self.columns, options.text_column, has_header=options.header)
        wanted = options.id_column
        self.id_column = None if wanted is None else self.columns[find_column(self.columns, wanted, "id_column")]

    def __iter__(self) -> Iterator[Row]:
        for record in chain(self._pending, self._records):
            yield self._row(record)

    def _row(self, record: Record) -> Row:
        if record.fault is not None:
            return bad_row(record.line, "malformed_csv", record.fault, record.raw)
        cells, width = record.cells, len(self.columns)
        if len(cells) > width and not any(cell.strip() for cell in cells[width:]):
            # Separators at the end of a line say nothing.
            del cells[width:]
        if len(cells) > width:
            message = (
                f"line {record.line} has {len(cells)} cells and the header has {width}; "
                "quote cells that hold separators"
            )
            return bad_row(record.line, "too_many_cells", message, self._separator.join(cells))
        cells.extend([""] * (width - len(cells)))
        text, cells[self.text_at] = cells[self.text_at], None  # type: ignore[call-overload]
        return make_row(record.line, text, cells, self._max_text_chars)

    def _read_columns(self, options: UploadOptions) -> list[str]:
        record = next(self._records, None)
        if record is not None and record.raw.count(self._separator) > MAX_SEPARATORS:
            raise TooLargeError(f"the header cannot be read: {record.fault}; at most {MAX_COLUMNS} columns are read")
        if record is not None and record.fault is not None:
            raise MalformedRequestError(f"the header cannot be read: {record.fault}")
        if record is None or not any(cell.strip() for cell in record.cells):
            raise MalformedRequestError("the file is empty, or its first line is; the first line names the columns")
        cells = record.cells
        if options.header:
            check_columns(cells, record.line)
            if options.text_column is None and len(cells) > 1 and may_be_title(cells):
                self._pending = list(islice(self._records, ROWS_BEHIND_TITLE))
                refuse_title(record.line, ((row.line, sum(map(bool, row.cells))) for row in self._pending))
            return cells
        self._pending = [record]
        names = [f"column_{number}" for number in range(1, len(cells) + 1)]
        check_columns(names)
        return names


def _first_filled(lines: Iterator[str], line: int) -> tuple[str, int]:
    """The next line with more than separators, of which Excel leaves some for empty rows, and its number."""
    for number, found in enumerate(lines, start=line):
        if found.strip(_BLANK):
            return found, number
    return "", line


def _separator_of(header: str, default: str, wanted: str | None) -> str:
    """The separator that yields a text column, or most cells: not all that is called csv has commas."""
    bare = _QUOTED.sub("", header)
    candidates = [default, *(separator for separator in _SEPARATORS if separator != default)]
    counted = [separator for separator in candidates if separator in bare]
    for separator in counted:
        if header.count(separator) > MAX_GUESSED_NAMES:
            continue
        names = [name.strip(' "\r\n') for name in header.split(separator)]
        if (wanted in names) if wanted is not None else guess_text_name(names) is not None:
            return separator
    return counted[0] if default in counted else max(counted, key=bare.count, default=default)
