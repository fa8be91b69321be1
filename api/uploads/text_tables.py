"""Tells whether a .txt file is a table: with tabs, which Excel calls text, or a csv of another name."""

from collections.abc import Iterator, Sequence

from api.uploads.columns import MAX_HEADER_CHARS, guess_text_name, may_be_name
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


def table_format(ahead: Sequence[str], options: UploadOptions, *, is_wide: bool) -> str | None:
    """`tsv` or `csv` where the first lines are those of a table; None where each is a text.

    `is_wide`: the file is UTF-16, as Excel's Unicode text is.
    """
    first = next((line for line in ahead if line.strip()), "")
    if options.header_row is not None or said_separator(first) is not None or _names_tabs(first, options, is_wide):
        return "tsv"
    if not options.header:
        return None
    if _has_names_below(ahead, options.text_column):
        return "tsv"
    return "csv" if any(_is_csv(ahead, separator, options.text_column) for separator in ",;|") else None


def _names_tabs(first: str, options: UploadOptions, is_wide: bool) -> bool:  # noqa: FBT001  as its caller has it
    if _TAB not in first:
        return False
    names = [name.strip(' "\r\n') for name in first.split(_TAB)]
    return is_wide or options.text_column is not None or guess_text_name(names) is not None


def _has_names_below(ahead: Sequence[str], wanted: str | None) -> bool:
    """Whether a title is above a table: the refusal of that names the line that has the names."""
    first, *behind = _rows(ahead, _TAB) or [TableRow(0, [])]
    names = find_names(behind) if first.filled == 1 else None
    return names is not None and has_text(names.cells, wanted)


def _is_csv(ahead: Sequence[str], separator: str, wanted: str | None) -> bool:
    """Whether the first line has names, the text's among them, and most of the lines below as many cells."""
    first, *behind = _rows(ahead, separator) or [TableRow(0, [])]
    alike = sum(len(row.cells) == len(first.cells) for row in behind)
    are_names = first.filled > 1 and all(may_be_name(cell) for cell in first.cells if cell.strip())
    return are_names and has_text(first.cells, wanted) and 2 * alike > len(behind)


def _rows(ahead: Sequence[str], separator: str) -> list[TableRow]:
    records = CsvRecords(iter([line for line in ahead if len(line) <= MAX_HEADER_CHARS]), separator)
    rows = (TableRow(record.line, record.cells) for record in records if record.fault is None)
    return [row for row in rows if row.filled]
