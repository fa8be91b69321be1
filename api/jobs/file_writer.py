"""The process that writes an xlsx or parquet file of results: `python -m api.jobs.file_writer KIND PATH`.

Standard input has a `FileHead` in its first line, then one JSON array of cells a line.
"""

import errno
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import msgspec

from api.uploads.confined import limit

DISK_FULL = b"disk_full"
MAX_CPU_S = 1_800
# What a spreadsheet can hold.
MAX_SHEET_ROWS = 1_048_576
MAX_CELL_CHARS = 32_767
_MAX_EXACT_DIGITS = 15
_ROW_GROUP_ROWS = 65_536
_WIDTHS = {"text": 60, "other": 16}
_FLAGGED = "#FDE9E7"
_FAILED = "#FFF4CE"
_HEADER = "#E8EEF7"
_LINE: msgspec.json.Decoder[list[msgspec.Raw]] = msgspec.json.Decoder(list[msgspec.Raw])


class FileHead(msgspec.Struct):
    """The columns: the user's, with their Arrow types where they have some, then ours.

    `harmless` is the classification whose rows get no colour; None where no classification is a verdict on a text;
    `optional` is how many of ours come after `error`: text, all of them.
    """

    theirs: list[str]
    ours: list[str]
    types: list[str]
    text_at: int
    harmless: str | None
    optional: int = 0


def main() -> None:
    """Read standard input to its end."""
    kind, path = sys.argv[1], Path(sys.argv[2])
    limit(MAX_CPU_S)
    with open(0, "rb", closefd=False) as spool:
        head = msgspec.json.decode(spool.readline(), type=FileHead)
        try:
            (_write_sheet if kind == "xlsx" else _write_parquet)(head, spool, path)
        except MemoryError:
            _end(b"memory")
        except OSError as error:
            _end(DISK_FULL if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG} else str(error).encode())
        except Exception as error:  # noqa: BLE001  a library's own errors tell a full disk by text alone
            _end(DISK_FULL if os.strerror(errno.ENOSPC) in str(error) else str(error).encode())


def _end(word: bytes) -> None:
    sys.stdout.buffer.write(word + b"\n")
    sys.stdout.buffer.flush()
    sys.exit(1)


def _write_sheet(head: FileHead, spool: IO[bytes], path: Path) -> None:
    import xlsxwriter  # noqa: PLC0415  each library is loaded only where its format is asked for

    options = {"constant_memory": True, "tmpdir": tempfile.gettempdir(), "strings_to_formulas": False,
               "strings_to_urls": False, "nan_inf_to_errors": True}  # fmt: skip
    with xlsxwriter.Workbook(path, options) as book:
        sheets = _Sheets(book, head)
        for line in spool:
            sheets.add(_LINE.decode(line))
        sheets.close()


class _Sheets:
    """One sheet, or more where the rows do not fit into one."""

    def __init__(self, book: Any, head: FileHead) -> None:  # noqa: ANN401  the library has no types
        self._book = book
        self._head = head
        self._names = [*head.theirs, *head.ours]
        self._classification_at = len(head.theirs)
        self._header = book.add_format({"bold": True, "bg_color": _HEADER, "bottom": 1})
        scores = {"num_format": "0.000"}
        self._formats = {
            kind: (book.add_format(colour), book.add_format({**colour, **scores}))
            for kind, colour in (("plain", {}), ("flagged", {"bg_color": _FLAGGED}), ("failed", {"bg_color": _FAILED}))
        }
        self._count = 0
        self._open()

    def add(self, cells: list[msgspec.Raw]) -> None:
        """Write one row."""
        if self._row >= MAX_SHEET_ROWS:
            self.close()
            self._open()
        plain, score = self._formats[self._kind(cells)]
        for column, cell in enumerate(cells):
            is_ours = column > self._classification_at
            self._write(column, bytes(memoryview(cell)), score if is_ours else plain)
        self._row += 1

    def close(self) -> None:
        """Finish the sheet in hand: the filter covers the rows that it has."""
        self._sheet.autofilter(0, 0, max(self._row - 1, 1), len(self._names) - 1)

    def _open(self) -> None:
        self._count += 1
        self._sheet = self._book.add_worksheet("results" if self._count == 1 else f"results {self._count}")
        self._sheet.freeze_panes(1, 0)
        for column, name in enumerate(self._names):
            is_text = column == self._head.text_at
            self._sheet.set_column(column, column, _WIDTHS["text" if is_text else "other"])
            self._sheet.write_string(0, column, name[:MAX_CELL_CHARS], self._header)
        self._row = 1

    def _kind(self, cells: list[msgspec.Raw]) -> str:
        classification = msgspec.json.decode(cells[self._classification_at])
        if classification is None:
            return "failed"
        harmless = self._head.harmless
        return "plain" if harmless is None or classification == harmless else "flagged"

    def _write(self, column: int, raw: bytes, cell_format: Any) -> None:  # noqa: ANN401  the library has no types
        number = _as_number(raw)
        if number is not None:
            self._sheet.write_number(self._row, column, number, cell_format)
        elif raw == b"null":
            self._sheet.write_blank(self._row, column, None, cell_format)
        else:
            self._sheet.write_string(self._row, column, _as_text(raw), cell_format)


def _as_number(raw: bytes) -> float | None:
    """The number of a cell that is one, unless a spreadsheet would lose digits of it."""
    if raw[:1] not in b"-0123456789" or sum(chr(byte).isdigit() for byte in raw) > _MAX_EXACT_DIGITS + 2:
        return None
    number = float(raw)
    return number if abs(number) < 10**_MAX_EXACT_DIGITS else None


def _as_text(raw: bytes) -> str:
    value = msgspec.json.decode(raw) if raw[:1] in b'"[' else raw.decode()
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        value = "|".join(value)
    text = value if isinstance(value, str) else raw.decode()
    # A line ends by a line feed in a cell; a carriage return would be shown as `_x000D_` by other programs than Excel.
    text = text.replace("\r\n", "\n")
    return text if len(text) <= MAX_CELL_CHARS else text[: MAX_CELL_CHARS - 1] + "…"


def _write_parquet(head: FileHead, spool: IO[bytes], path: Path) -> None:
    try:
        _write_typed(head, spool, path, head.types or ["string"] * len(head.theirs))
    except MemoryError:
        raise
    except Exception:  # the library has no class of its own for it
        if not head.types:
            raise
        # A value that its type cannot be read from again, such as a date in the year 148108: all as text.
        spool.seek(0)
        spool.readline()
        _write_typed(head, spool, path, ["string"] * len(head.theirs))


def _write_typed(head: FileHead, spool: IO[bytes], path: Path, types: list[str]) -> None:
    from arro3.core import DataType, Field, RecordBatchReader, Schema  # noqa: PLC0415  as above
    from arro3.io import read_json, write_parquet  # noqa: PLC0415

    from api.uploads.arrow_types import type_of  # noqa: PLC0415

    scores = len(head.ours) - 4 - head.optional
    ours = [DataType.string(), DataType.float64(), DataType.list(Field("element", DataType.string()))]
    kinds = [
        *(type_of(name) for name in types),
        *ours,
        *[DataType.float64()] * scores,
        *[DataType.string()] * (1 + head.optional),
    ]
    numbered = Schema([Field(str(place), kind) for place, kind in enumerate(kinds)])
    named = Schema([Field(name, kind) for name, kind in zip([*head.theirs, *head.ours], kinds, strict=True)])
    texts = {place for place, kind in enumerate(kinds) if DataType.is_string(kind) or DataType.is_large_string(kind)}

    def batches() -> Iterator[Any]:
        for rows in _groups(spool, texts):
            for batch in read_json(rows, numbered):
                yield batch.with_schema(named)

    write_parquet(
        RecordBatchReader.from_batches(named, batches()), path, compression="snappy", max_row_group_size=_ROW_GROUP_ROWS
    )


def _groups(spool: IO[bytes], texts: set[int]) -> Iterator[IO[bytes]]:
    """The rows as objects of numbered fields, some hundred at a time."""
    import io  # noqa: PLC0415

    encode = msgspec.json.Encoder().encode
    group = bytearray()
    for line in spool:
        cells = _LINE.decode(line)
        group += encode({str(place): _as_string(cell) if place in texts else cell for place, cell in enumerate(cells)})
        group += b"\n"
        if len(group) > 1 << 20:
            yield io.BytesIO(bytes(group))
            group.clear()
    if group:
        yield io.BytesIO(bytes(group))


def _as_string(cell: msgspec.Raw) -> msgspec.Raw | str:
    raw = bytes(memoryview(cell))
    return cell if raw[:1] == b'"' or raw == b"null" else raw.decode()


if __name__ == "__main__":
    main()
