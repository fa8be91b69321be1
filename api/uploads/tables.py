"""Reads csv and tsv, row by row: quoted cells may hold separators, quotes and line ends."""

from collections.abc import Iterator
from itertools import chain

from api.uploads.columns import (
    MAX_COLUMNS,
    MAX_HEADER_CHARS,
    check_columns,
    find_column,
    find_text_column,
)
from api.uploads.csv_records import MAX_SEPARATORS, CsvRecords, Record
from api.uploads.header_line import find_header
from api.uploads.options import UploadOptions
from api.uploads.rows import bad_row, make_row
from api.uploads.separators import SEPARATORS, separator_of
from api.uploads.titles import ROWS_BEHIND_TITLE, TableRow, find_names, may_be_title, refuse_title
from shared.errors import MalformedRequestError, TooLargeError
from shared.jobs.records import Row

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
        said, first, line = find_header(lines, options.header_row)
        self._is_separator_said = said is not None
        self._separator = said if said is not None else separator_of(first, separator, options.text_column)
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
        separators = dict.fromkeys((self._separator, *(SEPARATORS if is_open else ())))
        read = [self._split(lines, separator) for separator in separators]
        return next((rows for rows in read if find_names(rows) is not None), read[0])

    def _split(self, lines: list[str], separator: str) -> list[TableRow]:
        records = CsvRecords(iter(lines), separator, self._reader.next_line)
        rows = [TableRow(record.line, record.cells) for record in records if record.fault is None]
        return [row for row in rows if row.filled][:ROWS_BEHIND_TITLE]
