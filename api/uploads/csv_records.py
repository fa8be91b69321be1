"""Splits lines of csv or tsv into cells, and tells which line lost a quote.

Python's own reader accepts text after a closing quote, and lets a quote that is never closed swallow all rows after it.
Here such a quote costs its own line alone: the lines after it are read again, as rows of their own.
"""

import csv
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from api.uploads.decoding import CutText, too_long

# A quoted cell with more lines or characters has lost its closing quote.
MAX_CELL_LINES = 200
# A line with more separators is no row; each cell of it would be an object.
MAX_SEPARATORS = 100_000
MAX_CELL_CHARS = 1 << 20
# A quoted cell around so many lines that look like rows has lost it too.
SUSPECT_LINES = 8
ROW_LIKE_SHARE = 0.9
# Lines that may be read again because of lost quotes, besides one for each line of the file.
MAX_REREAD_LINES = 20_000
_ADVICE = 'close the quote, or write "" for a quote that belongs to the text'


@dataclass(frozen=True)
class _Dialect:
    """How a quoted cell says that a quote belongs to it: `cell` matches what is inside."""

    cell: re.Pattern[str]
    quote: re.Pattern[str]


_DOUBLED = _Dialect(re.compile(r'((?:[^"]++|"")*+)("?)'), re.compile(r'"(")'))
# MySQL's way, and that of programs which confuse csv with JSON: a backslash before the quote, and before itself.
_ESCAPED = _Dialect(
    re.compile(r'((?:[^"\\]++|\\.|"")*+\\?)("?)', re.DOTALL), re.compile(r'\\(["\\])|"(")')
)  # fmt: skip


class _CsvFault(Exception):  # noqa: N818  it never leaves this file
    """Raised when a line is no row; the message goes on after the line's number."""


class Record(msgspec.Struct, frozen=True):
    """The cells of the row that begins on `line`, or what is wrong with it, and then the line as it was sent."""

    line: int
    cells: list[str]
    fault: str | None = None
    raw: str = ""


class CsvRecords:
    """Iterates the rows of lines that keep their ends; blank lines are left out.

    `width`, once it is set, is the number of cells of a row, by which a cell that swallowed rows is known.
    """

    def __init__(self, lines: Iterator[str], separator: str, first_line: int = 1) -> None:
        self.width = 0
        self._separator = separator
        self._source = lines
        self._ahead: deque[str] = deque()
        self._number = first_line
        self._dialects = [_DOUBLED, _ESCAPED]
        self._reread_lines = 0

    def __iter__(self) -> Iterator[Record]:
        while (line := self.line_at(0)) is not None:
            if isinstance(line, CutText):
                yield self._faulty(line, too_long(f"line {self._number}"))
                continue
            if line.count(self._separator) > MAX_SEPARATORS:
                yield self._faulty(line, f"line {self._number} has more than {MAX_SEPARATORS:,} cells")
                continue
            if '"' in line:
                cells = self._read_alone(line)
                yield self._read_quoted() if cells is None else Record(self._drop(1), cells)
                continue
            bare = line.rstrip("\r\n")
            number = self._drop(1)
            if bare:
                yield Record(number, bare.split(self._separator))

    @property
    def next_line(self) -> int:
        """The number of the line at place 0."""
        return self._number

    def line_at(self, place: int) -> str | None:
        """A line ahead, 0 being the next; None after the end."""
        while len(self._ahead) <= place:
            line = next(self._source, None)
            if line is None:
                return None
            self._ahead.append(line)
        return self._ahead[place]

    def _drop(self, lines: int) -> int:
        """Go on behind so many lines; returns the number of the first of them."""
        for _ in range(lines):
            self._ahead.popleft()
        number = self._number
        self._number += lines
        return number

    def _faulty(self, line: str, fault: str) -> Record:
        return Record(self._drop(1), [], fault, line.rstrip("\r\n"))

    def _read_alone(self, line: str) -> list[str] | None:
        """The cells of nearly every line with quotes, fast; None for one that needs a closer look."""
        if self._dialects[0] is _ESCAPED and "\\" in line:
            return None
        try:
            (cells,) = csv.reader((line,), delimiter=self._separator, strict=True)
        except (csv.Error, ValueError):
            return None
        return None if self._is_too_wide(cells, line) else cells

    def _is_too_wide(self, cells: list[str], line: str) -> bool:
        """Whether a row has too many cells, and perhaps only because its quotes are escaped by backslashes."""
        return 0 < self.width < len(cells) and '\\"' in line

    def _read_quoted(self) -> Record:
        faults: list[str] = []
        wide: Record | None = None
        for dialect in self._dialects:
            reading = _Reading(self, self._separator, self._number, dialect)
            try:
                cells = reading.cells()
                self._check_swallowed(reading.lines)
            except _CsvFault as fault:
                faults.append(str(fault))
                continue
            if wide is None and self._is_too_wide(cells, self._ahead[0]):
                wide, wide_lines = Record(self._number, cells), reading.lines
                continue
            if faults or wide:
                # A file that escapes its quotes one way goes on with it.
                self._dialects.reverse()
            return Record(self._drop(reading.lines), cells)
        if wide is not None:
            self._drop(wide_lines)
            return wide
        return self._give_up(faults[0])

    def _give_up(self, fault: str) -> Record:
        """Skip the line at fault, and read those again that its cell has swallowed."""
        raw = self._ahead[0].rstrip("\r\n")
        lost = len(self._ahead)
        if self._reread_lines + lost <= MAX_REREAD_LINES + self._number:
            self._reread_lines += lost
            number = self._drop(1)
            if self._separator == "\t" and raw.count("\t") == self.width - 1:
                # Google Sheets writes a tsv without any quotes around cells; those that it has belong to the texts.
                return Record(number, raw.split("\t"))
            return Record(number, [], f"line {number} {fault}", raw)
        number = self._drop(lost)
        return Record(number, [], f"line {number} {fault}; the lines up to {number + lost - 1} are lost with it", raw)

    def _check_swallowed(self, lines: int) -> None:
        inner = [self._ahead[place] for place in range(1, lines - 1)]
        alike = sum(line.count(self._separator) == self.width - 1 for line in inner)
        if self.width > 1 and len(inner) >= SUSPECT_LINES and alike >= ROW_LIKE_SHARE * len(inner):
            raise _CsvFault(f"opens a quoted cell around {len(inner)} lines that look like rows; {_ADVICE}")


class _Reading:
    """One attempt to read a row that has quotes; `lines` is how many lines it took."""

    def __init__(self, records: CsvRecords, separator: str, number: int, dialect: _Dialect) -> None:
        self.lines = 1
        self._records = records
        self._separator = separator
        self._number = number
        self._dialect = dialect
        self._line = records.line_at(0) or ""
        self._place = 0
        self._after = re.compile(rf" *+({re.escape(separator)}|[\r\n]*+$)")

    def cells(self) -> list[str]:
        """All cells.

        Raises:
            _CsvFault: a quote is lost or stands in the wrong place.
        """
        cells: list[str] = []
        is_last = False
        while not is_last:
            cell, is_last = self._quoted() if self._line.startswith('"', self._place) else self._plain()
            cells.append(cell)
        return cells

    def _plain(self) -> tuple[str, bool]:
        start, end = self._place, self._line.find(self._separator, self._place)
        if end < 0:
            return self._line[start:].rstrip("\r\n"), True
        self._place = end + len(self._separator)
        return self._line[start:end], False

    def _quoted(self) -> tuple[str, bool]:
        parts: list[str] = []
        chars = 0
        self._place += 1
        while True:
            found = self._dialect.cell.match(self._line, self._place)
            assert found is not None  # noqa: S101  the pattern matches nothing, too
            parts.append(found[1])
            chars += len(found[1])
            if found[2]:
                break
            self._next_line(chars)
        text = self._dialect.quote.sub(lambda quote: quote[quote.lastindex or 0], "".join(parts))
        return text, self._close(found.end())

    def _next_line(self, chars: int) -> None:
        if self.lines >= MAX_CELL_LINES or chars > MAX_CELL_CHARS:
            raise _CsvFault(f"opens a quoted cell that is not closed within {self.lines} lines; {_ADVICE}")
        line = self._records.line_at(self.lines)
        if line is None:
            raise _CsvFault(f"opens a quoted cell that is never closed; {_ADVICE}")
        if isinstance(line, CutText):
            long_line = too_long(f"line {self._number + self.lines}")
            raise _CsvFault(f"opens a quoted cell, and {long_line}")
        self.lines += 1
        self._line, self._place = line, 0

    def _close(self, place: int) -> bool:
        """Go on behind a closing quote; returns whether the row ends there."""
        found = self._after.match(self._line, place)
        if found is None:
            last = self._number + self.lines - 1
            if self.lines == 1:
                raise _CsvFault(f"has text after a closing quote; {_ADVICE}")
            raise _CsvFault(f"opens a quoted cell, and text follows its closing quote on line {last}; {_ADVICE}")
        self._place = found.end()
        return found[1] != self._separator
