"""Reads csv and tsv, line by line: quoted cells may hold separators, quotes and line feeds."""

import csv
from collections.abc import Iterator

from api.uploads.options import UploadOptions
from api.uploads.rows import bad_row, find_name, find_text_name, make_row, shown
from shared.errors import MalformedRequestError
from shared.jobs.records import Row

# A cell that is longer has lost its closing quote.
MAX_CELL_CHARS = 1 << 20
_SEPARATORS = (",", "\t", ";")


class TableReader:
    """Iterates the rows; `columns`, `text_at` and `id_column` are known from the start.

    Raises:
        MalformedRequestError: there is no header, or no plain text column in it.
    """

    def __init__(self, lines: Iterator[str], options: UploadOptions, *, separator: str, max_text_chars: int) -> None:
        self._max_text_chars = max_text_chars
        csv.field_size_limit(MAX_CELL_CHARS)
        first = next(lines, "")
        self._separator = separator if separator in first else _separator_of(first, separator)
        self._reader = csv.reader(_chain(first, lines), delimiter=self._separator)
        self._pending: list[str] | None = None
        self.columns = self._read_columns(options)
        self.text_at = self._find_text(options)
        self.id_column = self._find_id(options)

    def __iter__(self) -> Iterator[Row]:
        if self._pending is not None:
            yield self._row(1, self._pending)
        while True:
            line = self._reader.line_num + 1
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield bad_row(line, "malformed_csv", _fault(line, self._reader.line_num, error), "")
                continue
            if cells:
                yield self._row(line, cells)

    def _row(self, line: int, cells: list[str]) -> Row:
        width = len(self.columns)
        if len(cells) > width:
            message = f"line {line} has {len(cells)} cells and the header has {width}; quote cells that hold separators"
            return bad_row(line, "too_many_cells", message, self._separator.join(cells))
        cells.extend([""] * (width - len(cells)))
        text = cells[self.text_at]
        return make_row(line, text, [*cells[: self.text_at], None, *cells[self.text_at + 1 :]], self._max_text_chars)

    def _read_columns(self, options: UploadOptions) -> list[str]:
        try:
            cells = next(self._reader, [])
        except csv.Error as error:
            raise MalformedRequestError(f"the first line is no header: {error}") from error
        if not any(cell.strip() for cell in cells):
            raise MalformedRequestError("the file is empty, or its first line is; the first line names the columns")
        if options.header:
            return cells
        self._pending = cells
        return [f"column_{number}" for number in range(1, len(cells) + 1)]

    def _find_text(self, options: UploadOptions) -> int:
        found = find_text_name(self.columns, options.text_column)
        if found is None and not options.header and len(self.columns) == 1:
            return 0
        if found is None:
            raise MalformedRequestError(
                f"which column holds the text? Say text_column=NAME; the first line has {shown(self.columns)}. "
                "If it is no header, say header=false",
                param="text_column",
            )
        return found

    def _find_id(self, options: UploadOptions) -> str | None:
        if options.id_column is None:
            return None
        return self.columns[find_name(self.columns, options.id_column, "id_column")]


def _separator_of(header: str, default: str) -> str:
    """Some programs write semicolons or tabs and call it csv."""
    return max(_SEPARATORS, key=header.count) if any(map(header.count, _SEPARATORS)) else default


def _chain(first: str, lines: Iterator[str]) -> Iterator[str]:
    yield first
    yield from lines


def _fault(first: int, last: int, error: csv.Error) -> str:
    if last > first:
        return f"lines {first} to {last} are one cell without a closing quote"
    return f"line {first} is not csv: {error}"
