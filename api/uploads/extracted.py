"""Rows of a spreadsheet or a parquet file, which a process of its own takes out of it."""

import importlib.util
import tempfile
from collections.abc import Iterator
from itertools import chain, islice
from subprocess import Popen
from typing import IO

import msgspec

from api.http.caller import Caller, current_caller
from api.http.file_turn import FileTurn
from api.uploads import confined
from api.uploads.columns import check_columns, find_column, find_text_column
from api.uploads.frames import MAX_MEMORY_MESSAGE, Frame
from api.uploads.options import UploadOptions
from api.uploads.rows import bad_row, make_row
from api.uploads.titles import ROWS_BEHIND_TITLE, TableRow, empty_header, may_be_title, no_header, refuse_title
from shared.errors import MalformedRequestError, TooLargeError, UnsupportedMediaError
from shared.jobs.records import Row
from shared.verdict import Failure

_LIBRARIES = {"xlsx": "openpyxl", "parquet": "arro3.io"}
# What a cell shows whose formula fails: nobody has written it.
_SHEET_ERRORS = frozenset(
    ("#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NUM!", "#NULL!", "#SPILL!", "#CALC!", "#FIELD!")
)
_MAX_FRAME_BYTES = 64 << 20
_MAX_SHEET_CHARS = 255
_FRAME = msgspec.json.Decoder(Frame)
_NULL = msgspec.Raw(b"null")

# One such process at a time, or each upload slot could take its memory.
_TURN = FileTurn()

Cells = tuple[int, list[msgspec.Raw]]


def require_library(kind: str) -> None:
    """Check that files of this kind can be read and written here.

    Raises:
        UnsupportedMediaError: the optional part of the installation is not there.
    """
    name = _LIBRARIES[kind]
    if importlib.util.find_spec(name.partition(".")[0]) is None:
        raise UnsupportedMediaError(
            f"{kind} needs an optional part that is not installed here: pip install 'kobert-classifier[{kind}]'. "
            "csv and jsonl need none",
            param="format",
        )


class ExtractedTable:
    """Iterates the rows once; `columns`, `text_at` and `id_column` are known from the start.

    Both formats have their index at the end, so the file is spooled to disk first.

    Raises:
        UnsupportedMediaError: the library is not installed.
        MalformedRequestError: the file is not of this kind, or has no plain text column; also while iterating.
        TooLargeError: it unpacks to more than is allowed.
    """

    def __init__(self, kind: str, pieces: Iterator[bytes], options: UploadOptions, limits: tuple[int, int]) -> None:
        require_library(kind)
        max_bytes, self._max_text_chars = limits
        self._kind = kind
        self.header_row: int | None = None
        caller = current_caller()
        self._client = caller.presence
        self._pending: list[Cells] = []
        # Unnamed, so that it is gone with the process whatever happens.
        with tempfile.TemporaryFile(prefix="kobert-upload-") as spool:
            for piece in pieces:
                spool.write(piece)
            spool.seek(0)
            self._process = _started(kind, _argument(options.sheet), max_bytes, spool, caller)
        self._is_open = True
        try:
            self._end_with_client()
            self._rows = self._read_rows(self._read_frame())
            self.columns = self._read_columns(options)
            check_columns(self.columns)
            self.text_at = find_text_column(self.columns, options.text_column, may_be_row=options.is_header_guessed)
            wanted = options.id_column
            self.id_column = None if wanted is None else self.columns[find_column(self.columns, wanted, "id_column")]
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Iterator[Row]:
        for number, cells in chain(self._pending, self._rows):
            yield self._row(number, cells)

    def close(self) -> None:
        """End the process, if it still runs."""
        if self._is_open:
            self._is_open = False
            self._client.forget(self._process.kill)
            confined.end(self._process)
            _TURN.give_back()

    def _end_with_client(self) -> None:
        """Kill the process once the client has left: it would go on for a minute, with all the memory it may have."""
        self._client.watch(self._process.kill)
        if self._client.is_lost:
            self._process.kill()

    def _read_columns(self, options: UploadOptions) -> list[str]:
        if self.names is not None:
            return self.names
        first = next(self._rows, None) if options.header_row is None else self._find_header(options.header_row)
        if first is None:
            raise MalformedRequestError("the sheet is empty; its first row names the columns")
        if options.header:
            self.header_row = first[0]
            self._refuse_title(first, options)
            return [_shown(cell) or f"column_{place}" for place, cell in enumerate(first[1], start=1)]
        self._pending = [first]
        return [f"column_{place}" for place in range(1, len(first[1]) + 1)]

    def _find_header(self, wanted: int) -> Cells | None:
        """The row with this number, or None if the sheet has no rows.

        It is as wide as headings right above it: a heading that is merged with the cell below it names a column, too.
        """
        last, above = 0, list[msgspec.Raw]()
        for number, cells in self._rows:
            if number == wanted:
                are_headings = last == wanted - 1 and sum(map(bool, map(_shown, above))) > 1
                return number, [*cells, *[_NULL] * (len(above) - len(cells))] if are_headings else cells
            if number > wanted:
                raise empty_header(wanted)
            last, above = number, cells
        if last:
            raise no_header(wanted, last)
        return None

    def _refuse_title(self, first: Cells, options: UploadOptions) -> None:
        row = _shown_row(first)
        if options.is_header_guessed and may_be_title(row.cells, options.text_column):
            self._pending = list(islice(self._rows, ROWS_BEHIND_TITLE))
            refuse_title(row, list(map(_shown_row, self._pending)), options.text_column, is_grid=True)

    def _read_rows(self, frame: Frame) -> Iterator[Cells]:
        self.names, self.column_types = frame.columns, frame.column_types
        return self._frames()

    def _frames(self) -> Iterator[Cells]:
        while not (frame := self._read_frame()).is_end:
            yield from frame.rows

    def _read_frame(self) -> Frame:
        line = _output_of(self._process).readline(_MAX_FRAME_BYTES)
        if not line.endswith(b"\n"):
            # It was ended by a limit, or by a fault in the library's native code.
            self.close()
            raise TooLargeError(MAX_MEMORY_MESSAGE)
        frame = _FRAME.decode(line)
        if frame.error is not None:
            self.close()
            raise (TooLargeError if frame.is_too_large else MalformedRequestError)(frame.error, param=frame.param)
        return frame

    def _row(self, number: int, cells: list[msgspec.Raw]) -> Row:
        width = len(self.columns)
        if len(cells) > width:
            message = f"row {number} has cells to the right of the header's {width} columns"
            return bad_row(number, "too_many_cells", message, ",".join(_shown(cell) for cell in cells))
        cells.extend([_NULL] * (width - len(cells)))
        fields = [*cells[: self.text_at], None, *cells[self.text_at + 1 :]]
        text: object = msgspec.json.decode(cells[self.text_at])
        if self._kind == "xlsx":
            # A comment may be a number alone, and an empty cell is an empty text.
            text = _shown(cells[self.text_at])
            if text in _SHEET_ERRORS:
                fault = f"row {number} holds {text}, an error of the spreadsheet; mend its formula, or delete the row"
                return Row(number, text, msgspec.Raw(msgspec.json.encode(fields)), Failure("spreadsheet_error", fault))
        return make_row(number, text, fields, self._max_text_chars, f"row {number}")


def _argument(sheet: str | None) -> str:
    """A sheet's name as a process can be given it; no sheet has a longer one, nor a NUL in it."""
    return (sheet or "")[:_MAX_SHEET_CHARS].replace("\0", "\ufffd")


def _started(kind: str, sheet: str, max_bytes: int, spool: IO[bytes], caller: Caller) -> Popen[bytes]:
    if not _TURN.take(caller):
        raise MalformedRequestError("the client left before its file was read")
    try:
        return confined.start("api.uploads.extraction", kind, sheet, str(max_bytes), stdin=spool)
    except BaseException:
        _TURN.give_back()
        raise


def _output_of(process: Popen[bytes]) -> IO[bytes]:
    assert process.stdout is not None  # noqa: S101  it was started with a pipe
    return process.stdout


def _shown(cell: msgspec.Raw) -> str:
    raw = bytes(memoryview(cell))
    if raw.startswith(b'"'):
        return str(msgspec.json.decode(raw))
    return "" if raw == b"null" else raw.decode()


def _shown_row(row: Cells) -> TableRow:
    return TableRow(row[0], [_shown(cell) for cell in row[1]])
