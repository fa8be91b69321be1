"""Reads csv and tsv, row by row: quoted cells may hold separators, quotes and line ends."""

import re
from collections.abc import Iterator
from itertools import chain

from api.uploads.columns import (
    MAX_COLUMNS,
    MAX_HEADER_CHARS,
    check_columns,
    find_column,
    find_text_column,
    guess_text_name,
)
from api.uploads.csv_records import MAX_SEPARATORS, CsvRecords, Record
from api.uploads.options import UploadOptions
from api.uploads.rows import bad_row, make_row
from api.uploads.titles import (
    ROWS_BEHIND_TITLE,
    TableRow,
    empty_header,
    find_names,
    may_be_title,
    no_header,
    refuse_title,
)
from shared.errors import MalformedRequestError, TooLargeError
from shared.jobs.records import Row

_SEPARATORS = (",", "\t", ";")
# Excel's own way to say what separates cells: a line before the header.
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?[,;\t]*\s*', re.IGNORECASE)
# Of a header with more separators none is guessed by its names.
MAX_GUESSED_NAMES = 4_096
_BLANK = ' \t\r\n,;"'
_QUOTED = re.compile(r'"[^"]*"')
# Of the rows behind a title; some have lines that are empty between them.
_LINES_BEHIND_TITLE = 2 * ROWS_BEHIND_TITLE


class TableReader:
    """Iterates the rows; `columns`, `text_at` and `id_column` are known from the start.

    Raises:
        MalformedRequestError: there is no header, or no plain text column in it.
        TooLargeError: there are too many columns.
    """

    def __init__(self, lines: Iterator[str], options: UploadOptions, *, separator: str, max_text_chars: int) -> None:
        self._max_text_chars = max_text_chars
        said, first, line = _find_header(lines, options.header_row)
        self._is_separator_said = said is not None
        self._separator = said if said is not None else _separator_of(first, separator, options.text_column)
        self._reader = CsvRecords(chain([first], lines), self._separator, line)
        self._records = iter(self._reader)
        self._pending: list[Record] = []
        self.header_row = line if options.header else None
        self.columns = self._read_columns(options)
        self._reader.width = len(self.columns)
        self.text_at = find_text_column(self.columns, options.text_column, may_be_row=options.is_header_guessed)
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
            if options.is_header_guessed and may_be_title(cells, options.text_column):
                behind = self._rows_behind(cells)
                refuse_title(TableRow(record.line, cells), behind, options.text_column, is_grid=len(cells) > 1)
            return cells
        self._pending = [record]
        names = [f"column_{number}" for number in range(1, len(cells) + 1)]
        check_columns(names)
        return names

    def _rows_behind(self, first: list[str]) -> list[TableRow]:
        """Rows that may be below a title, read ahead. A title without a separator does not tell what it is."""
        lines: list[str] = []
        while len(lines) < _LINES_BEHIND_TITLE and (line := self._reader.line_at(len(lines))) is not None:
            if len(line) > MAX_HEADER_CHARS:
                break
            lines.append(line)
        is_open = len(first) == 1 and not self._is_separator_said
        separators = dict.fromkeys((self._separator, *(_SEPARATORS if is_open else ())))
        read = [self._split(lines, separator) for separator in separators]
        return next((rows for rows in read if find_names(rows) is not None), read[0])

    def _split(self, lines: list[str], separator: str) -> list[TableRow]:
        records = CsvRecords(iter(lines), separator, self._reader.next_line)
        rows = [TableRow(record.line, record.cells) for record in records if record.fault is None]
        return [row for row in rows if row.filled][:ROWS_BEHIND_TITLE]


def _find_header(lines: Iterator[str], wanted: int | None) -> tuple[str | None, str, int]:
    """What a line says that separates cells, and the line with the names of the columns with its number.

    That is the one wanted, or the first with more than separators, of which Excel leaves some for empty rows.

    Raises:
        MalformedRequestError: there is no such line, or it is empty.
    """
    separator: str | None = None
    is_above_all = True
    number = 0
    for number, line in enumerate(lines, start=1):
        is_filled = bool(line.strip(_BLANK))
        said = _SEPARATOR_LINE.fullmatch(line) if is_above_all and is_filled else None
        is_above_all = is_above_all and not is_filled
        if number == wanted and not is_filled:
            raise empty_header(number)
        if said is not None and number != wanted:
            separator = said[1]
        elif is_filled and wanted in {None, number}:
            return separator, line, number
    if wanted is not None and number:
        raise no_header(wanted, number)
    return separator, "", number


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
