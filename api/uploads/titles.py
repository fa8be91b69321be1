"""Tells a title above a table from the names of its columns, and finds the row that has those."""

from collections.abc import Sequence
from dataclasses import dataclass

from api.uploads.columns import guess_text_name, has_column, has_usual_name, may_be_name
from shared.errors import MalformedRequestError

# Rows behind the first that are looked at, and those of them that may have the names.
ROWS_BEHIND_TITLE = 15
MAX_TITLE_ROWS = 10


@dataclass(frozen=True)
class TableRow:
    """A row with its number in the file, and its cells as text."""

    number: int
    cells: Sequence[str]

    @property
    def filled(self) -> int:
        """How many cells hold something."""
        return sum(map(bool, map(str.strip, self.cells)))


def may_be_title(names: Sequence[str], wanted: str | None) -> bool:
    """Whether a first row may be a title, and not the names of columns among which the text's is plain.

    So may one with empty cells, which has the headings of groups of columns.
    """
    if wanted is not None:
        return not has_column(names, wanted)
    return not all(map(str.strip, names)) or _is_lone(names) or guess_text_name(names) is None


def refuse_title(first: TableRow, behind: Sequence[TableRow], wanted: str | None, *, is_grid: bool) -> None:
    """Refuse a first row that may be a title where a row `behind` it has the names of the columns.

    Of a grid, whose rows are of one width, also a row of one cell above rows of more.

    Raises:
        MalformedRequestError: it is rather a title, and nobody would see that another column was read.
    """
    is_title = wanted is None and _is_lone(first.cells) and not has_usual_name(first.cells)
    names = find_names(behind)
    is_below = has_text(first.cells, wanted) and not _is_lone(first.cells) and not _are_groups(first, behind)
    if names is not None and not is_below and (is_title or has_text(names.cells, wanted)):
        raise MalformedRequestError(
            f"line {first.number} is rather a title, and line {names.number} has the names of the columns; if so, say "
            f"header_row={names.number}, else say text_column=NUMBER",
            param="header_row",
        )
    wide = next((row.number for row in behind if row.filled > 1), None)
    if is_title and is_grid and wide is not None:
        raise MalformedRequestError(
            f"line {first.number} names one column, and line {wide} has more cells; if line {first.number} is a title, "
            "say header_row=NUMBER, the line with the names of the columns, else say text_column=NUMBER",
            param="header_row",
        )


def find_names(rows: Sequence[TableRow]) -> TableRow | None:
    """The row that plainly has the names of columns; one with a usual name for a text before others."""
    found = [row for place, row in enumerate(rows[:MAX_TITLE_ROWS]) if _has_names(row, rows[place + 1 :])]
    return next((row for row in found if guess_text_name(row.cells) is not None), found[0] if found else None)


def has_text(names: Sequence[str], wanted: str | None) -> bool:
    """Whether the text's column is plain among these names."""
    return guess_text_name(names) is not None if wanted is None else has_column(names, wanted)


def empty_header(number: int) -> MalformedRequestError:
    """What to say where the line that shall have the names of the columns has nothing."""
    return MalformedRequestError(
        f"header_row={number}: line {number} is empty; say the number of the line with the names of the columns",
        param="header_row",
    )


def no_header(wanted: int, last: int) -> MalformedRequestError:
    """What to say where the line that shall have the names of the columns is behind the last."""
    return MalformedRequestError(
        f"header_row={wanted}: the last line is {last}; say the number of the line with the names of the columns",
        param="header_row",
    )


def _has_names(row: TableRow, behind: Sequence[TableRow]) -> bool:
    """Whether a row has short words only, and as many as the rows behind it, most of which have several cells."""
    counts = [other.filled for other in behind]
    is_table = 2 * sum(count > 1 for count in counts) > len(counts)
    is_full = row.filled > 1 and row.filled >= max(counts, default=0)
    return is_table and is_full and all(may_be_name(cell) for cell in row.cells if cell.strip())


def _are_groups(first: TableRow, behind: Sequence[TableRow]) -> bool:
    """Whether more names stand directly below these, which are the headings of groups of columns then."""
    return bool(behind) and find_names(behind) is behind[0] and behind[0].filled > first.filled


def _is_lone(names: Sequence[str]) -> bool:
    return sum(map(bool, map(str.strip, names))) == 1
