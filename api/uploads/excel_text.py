"""Tells whether a .txt file is a table with tabs, which Excel calls text and Unicode text."""

from collections.abc import Iterator, Sequence

from api.uploads.columns import MAX_HEADER_CHARS, guess_text_name
from api.uploads.csv_records import CsvRecords
from api.uploads.options import UploadOptions
from api.uploads.separators import said_separator
from api.uploads.titles import ROWS_BEHIND_TITLE, TableRow, find_names, has_text

_TAB = "\t"
# Of the first rows; some have lines that are empty between them.
_LINES_AHEAD = 2 * ROWS_BEHIND_TITLE


def read_ahead(lines: Iterator[str]) -> list[str]:
    """The lines that tell, taken from `lines`; none behind one that is too long for the names of columns."""
    ahead: list[str] = []
    for line in lines:
        ahead.append(line)
        if len(ahead) >= _LINES_AHEAD or len(line) > MAX_HEADER_CHARS:
            break
    return ahead


def is_table(ahead: Sequence[str], options: UploadOptions, *, is_wide: bool) -> bool:
    """Whether the first lines are those of a table; `is_wide`: the file is UTF-16, as Excel's Unicode text is."""
    if options.header_row is not None:
        return True
    first = next((line for line in ahead if line.strip()), "")
    if said_separator(first) is not None:
        return True
    if _TAB in first:
        names = [name.strip(' "\r\n') for name in first.split(_TAB)]
        if is_wide or options.text_column is not None or guess_text_name(names) is not None:
            return True
    return _has_names_below(ahead, options.text_column)


def _has_names_below(ahead: Sequence[str], wanted: str | None) -> bool:
    """Whether a title is above a table: the refusal of that names the line that has the names."""
    records = CsvRecords(iter([line for line in ahead if len(line) <= MAX_HEADER_CHARS]), _TAB)
    rows = [TableRow(record.line, record.cells) for record in records if record.fault is None]
    first, *behind = [row for row in rows if row.filled] or [TableRow(0, [])]
    names = find_names(behind) if first.filled == 1 else None
    return names is not None and has_text(names.cells, wanted)
