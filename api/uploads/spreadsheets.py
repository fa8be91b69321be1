"""Reads the rows of an xlsx file, one at a time, with values as the spreadsheet shows them.

Runs in the process of `api.uploads.extraction`, whose limits bound what a hostile file can cost.
"""

import sys
import unicodedata
import zipfile
from collections.abc import Iterator
from typing import IO, Any

from api.uploads.columns import MAX_COLUMNS, shown
from api.uploads.number_formats import shown as shown_value
from shared.errors import MalformedRequestError, TooLargeError

# The library would load numpy, which no cell needs.
sys.modules.setdefault("numpy", None)  # type: ignore[arg-type]

from defusedxml.ElementTree import iterparse  # noqa: E402
from openpyxl.reader.excel import ExcelReader  # noqa: E402
from openpyxl.utils.escape import unescape  # noqa: E402
from openpyxl.worksheet import _reader as worksheet_reader  # noqa: E402

# Strings that cells share are held in memory, the sheet is not.
MAX_SHARED_BYTES = 256 << 20
MAX_SHARED_STRINGS = 3_000_000
MAX_OTHER_BYTES = 32 << 20
MAX_PARTS = 10_000
MAX_ROWS = 1_048_576
MAX_SHEETS = 1_000
# Between the ends of two elements. A cell has 32,767 characters; a tag or a comment is read again from its start each
# time that more of it comes, so one without end would take hours.
MAX_ELEMENT_BYTES = 1 << 20


def read_sheet(file: IO[bytes], sheet: str | None, max_bytes: int) -> Iterator[tuple[int, list[Any]]]:
    """Each row that is not empty, with its number in the sheet.

    Raises:
        MalformedRequestError: it is no xlsx, or has no such sheet.
        TooLargeError: it unpacks to more than is read.
    """
    _check_parts(file, max_bytes)
    reader = _Reader(file, read_only=True, data_only=True, keep_links=False)
    reader.read()
    book = reader.wb
    if len(book.worksheets) > MAX_SHEETS:
        raise TooLargeError(f"the xlsx file has more than {MAX_SHEETS:,} sheets")
    formats = [style.number_format for style in _styles(book)]
    for worksheet in _chosen(book, sheet):
        rows = _rows(book, worksheet, formats, max_bytes)
        first = next(rows, None)
        # A new file of Excel has an empty sheet before the one that was copied into it.
        if first is not None:
            yield first
            yield from rows
            return


def _rows(
    book: Any,  # noqa: ANN401  the library has no types
    worksheet: Any,  # noqa: ANN401
    formats: list[str],
    max_bytes: int,
) -> Iterator[tuple[int, list[Any]]]:
    """The rows of one sheet, as `read_sheet` gives them."""
    with worksheet._get_source() as source:  # noqa: SLF001  its own iterator keeps a record of every row
        parser = worksheet_reader.WorkSheetParser(
            source,
            worksheet._shared_strings,  # noqa: SLF001
            data_only=True,
            epoch=book.epoch,
            date_formats=book._date_formats,  # noqa: SLF001
            timedelta_formats=book._timedelta_formats,  # noqa: SLF001
        )
        parser.row_dimensions = _Nothing()
        size = 0
        for number, cells in parser.parse():
            if number > MAX_ROWS:
                raise TooLargeError(f"the sheet has more than {MAX_ROWS:,} rows")
            values = _values(cells, formats, number)
            # A string that is stored once can stand in every cell.
            size += sum(len(value) for value in values if isinstance(value, str))
            if size > max_bytes:
                raise TooLargeError(f"the file unpacks to more than {max_bytes:,} bytes (MAX_JOB_BYTES); split it")
            if values:
                yield number, values


class _Reader(ExcelReader):  # type: ignore[misc]  # the library has no types
    """Reads the shared strings ten times as fast as the library, and no more than can be."""

    def read_strings(self) -> None:
        """Fill `shared_strings`."""
        names = [
            part.filename for part in self.archive.infolist() if part.filename.lower().endswith("sharedstrings.xml")
        ]
        if names:
            with self.archive.open(names[0]) as part:
                self.shared_strings = _shared_strings(part)


class _Pieces:
    """A part of the file that must bring an element now and then."""

    def __init__(self, part: IO[bytes]) -> None:
        self._part = part
        self.silent_bytes = 0

    def read(self, size: int) -> bytes:
        """As of a file.

        Raises:
            TooLargeError: `MAX_ELEMENT_BYTES` were read since `silent_bytes` was set to 0.
        """
        if self.silent_bytes > MAX_ELEMENT_BYTES:
            most = f"{MAX_ELEMENT_BYTES:,} bytes"
            raise TooLargeError(f"the xlsx file has a tag, a comment or a cell of more than {most}")
        piece = self._part.read(size)
        self.silent_bytes += len(piece)
        return piece


def _elements(part: IO[bytes], events: tuple[str, ...] = ("end",)) -> Iterator[tuple[str, Any]]:
    pieces = _Pieces(part)
    for event in iterparse(pieces, events=events, forbid_dtd=True):
        pieces.silent_bytes = 0
        yield event


# It has one of its own, without these limits.
worksheet_reader.iterparse = _elements


def _shared_strings(part: IO[bytes]) -> list[str]:
    strings: list[str] = []
    pieces: list[str] = []
    is_reading_aid = False
    root = None
    for event, element in _elements(part, ("start", "end")):
        name = element.tag.rpartition("}")[2]
        if root is None:
            root = element
        if name == "rPh":
            # The pronunciation of Japanese and Chinese signs is no part of the text.
            is_reading_aid = event == "start"
        elif event == "end" and name == "t" and not is_reading_aid:
            pieces.append(element.text or "")
        elif event == "end" and name == "si":
            strings.append("".join(pieces))
            pieces.clear()
            root.clear()
            if len(strings) > MAX_SHARED_STRINGS:
                raise TooLargeError(f"the xlsx file unpacks to more than {MAX_SHARED_STRINGS:,} strings; split it")
    return strings


class _Nothing(dict[str, Any]):
    """Takes the heights of rows, which nobody asks for."""

    def __setitem__(self, key: str, value: object) -> None:
        """Forget it."""


def _check_parts(file: IO[bytes], max_bytes: int) -> None:
    try:
        with zipfile.ZipFile(file) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise MalformedRequestError(
            f"the xlsx file is cut short or damaged ({error}); open it in Excel and save it again"
        ) from error
    names = {part.filename for part in parts}
    if "xl/workbook.xml" not in names and not any(name.endswith("workbook.xml") for name in names):
        what = "a binary workbook (.xlsb)" if "xl/workbook.bin" in names else "a zip file"
        raise MalformedRequestError(f"the file is {what}, not xlsx; save it as xlsx or csv")
    if len(parts) > MAX_PARTS:
        raise TooLargeError(f"the xlsx file has more than {MAX_PARTS:,} parts")
    for part in parts:
        name = part.filename.lower()
        is_sheet = "worksheets/" in name
        if name.endswith((".xml", ".rels")):
            most = max_bytes if is_sheet else MAX_SHARED_BYTES if "sharedstrings" in name else MAX_OTHER_BYTES
            if part.file_size > most:
                raise TooLargeError(f"the xlsx file unpacks to more than {most:,} bytes ({part.filename}); split it")


def _chosen(book: Any, wanted: str | None) -> list[Any]:  # noqa: ANN401  the library has no types
    """The sheet that is wanted; else those that are seen, of which the first with cells is read."""
    sheets = book.worksheets
    if wanted is None:
        visible = [sheet for sheet in sheets if sheet.sheet_state == "visible"]
        if not visible:
            raise MalformedRequestError("the xlsx file has no sheet with cells", param="sheet")
        return visible
    same = [sheet for sheet in sheets if _key(sheet.title) == _key(wanted)]
    if same:
        return same[:1]
    if wanted.isdecimal() and len(wanted) <= len(str(MAX_PARTS)) and 1 <= int(wanted) <= len(sheets):
        return [sheets[int(wanted) - 1]]
    names = shown([sheet.title for sheet in sheets])
    raise MalformedRequestError(f"sheet={wanted[:40]}: there is no such sheet; there are {names}", param="sheet")


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name).strip().casefold()


def _styles(book: Any) -> list[Any]:  # noqa: ANN401  the library has no types
    return [_Style(book, style) for style in book._cell_styles]  # noqa: SLF001


class _Style:
    """The number format of one style."""

    def __init__(self, book: Any, style: Any) -> None:  # noqa: ANN401  the library has no types
        from openpyxl.styles.numbers import BUILTIN_FORMATS, BUILTIN_FORMATS_MAX_SIZE  # noqa: PLC0415

        number = style.numFmtId
        if number < BUILTIN_FORMATS_MAX_SIZE:
            self.number_format = BUILTIN_FORMATS.get(number, "General")
        else:
            own = number - BUILTIN_FORMATS_MAX_SIZE
            known = book._number_formats  # noqa: SLF001
            self.number_format = known[own] if own < len(known) else "General"


def _values(cells: list[dict[str, Any]], formats: list[str], number: int) -> list[Any]:
    """The cells of a row in their columns, without empty ones at its end."""
    values: list[Any] = []
    for cell in cells:
        value = cell["value"]
        if value is None or value == "":
            continue
        column = cell["column"]
        if column > MAX_COLUMNS:
            raise TooLargeError(f"row {number} has a cell in column {column:,}; at most {MAX_COLUMNS} columns are read")
        style = cell["style_id"]
        values.extend([None] * (column - len(values)))
        values[column - 1] = (
            unescape(value)
            if isinstance(value, str)
            else shown_value(value, formats[style] if style < len(formats) else "General")
        )
    return values
