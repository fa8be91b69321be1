"""Finds the line of a csv or tsv that has the names of the columns, below empty lines and Excel's `sep=` line."""

from collections.abc import Iterator

from api.uploads.separators import said_separator
from api.uploads.titles import empty_header, no_header
from shared.errors import MalformedRequestError

_BLANK = ' \t\r\n,;"'


def find_header(lines: Iterator[str], wanted: int | None) -> tuple[str | None, str, int]:
    """What a line says that separates cells, and the line with the names of the columns with its number.

    That is the one wanted, or the first with more than separators, of which Excel leaves some for empty rows.

    Raises:
        MalformedRequestError: there is no such line, or it is empty, or it only says what separates cells.
    """
    separator: str | None = None
    is_above_all = True
    number = 0
    for number, line in enumerate(lines, start=1):
        is_filled = bool(line.strip(_BLANK))
        said = said_separator(line) if is_above_all and is_filled else None
        is_above_all = is_above_all and not is_filled
        if number == wanted:
            _require_names(number, said, is_filled=is_filled)
        if said is not None:
            separator = said
        elif is_filled and wanted in {None, number}:
            return separator, line, number
    if wanted is not None and number:
        raise no_header(wanted, number)
    return separator, "", number


def _require_names(number: int, said: str | None, *, is_filled: bool) -> None:
    if not is_filled:
        raise empty_header(number)
    if said is not None:
        raise MalformedRequestError(
            f"header_row={number}: line {number} is the sep= line, which a spreadsheet does not show; it counts as a "
            "line. Say the number of the line with the names of the columns",
            param="header_row",
        )
