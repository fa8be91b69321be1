"""The process that takes rows out of a spreadsheet or a parquet file: `python -m api.uploads.extraction KIND SHEET`.

The file is standard input. Standard output gets one JSON line a frame: the columns, groups of rows, and the end or why
there is none.
"""

import sys
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from api.uploads.confined import limit
from api.uploads.frames import MAX_MEMORY_MESSAGE, Frame, NumberedCells
from shared.errors import MalformedRequestError, RequestError, TooLargeError

# Rows of one frame, and characters: whatever comes first.
FRAME_ROWS = 256
FRAME_CHARS = 1 << 20
# What a Rust library raises when it gives up; it is no Exception, and the library exports no class to catch.
RUST_PANIC = "PanicException"


def frames(head: Frame, rows: Iterable[NumberedCells]) -> Iterator[bytes]:
    """The lines to write."""
    encode = msgspec.json.Encoder().encode
    yield encode(head)
    group: list[msgspec.Raw] = []
    chars = 0
    for row in rows:
        group.append(msgspec.Raw(encode(row)))
        chars += len(memoryview(group[-1]))
        if len(group) >= FRAME_ROWS or chars >= FRAME_CHARS:
            yield encode({"rows": group})
            group, chars = [], 0
    yield encode({"rows": group})
    yield encode(Frame(is_end=True))


def main() -> None:
    """Read standard input to its end."""
    kind, sheet, max_bytes = sys.argv[1], sys.argv[2] or None, int(sys.argv[3])
    limit()
    out = sys.stdout.buffer
    with open(0, "rb", closefd=False) as file:
        try:
            for line in frames(*_opened(kind, file, sheet, max_bytes)):
                out.write(line + b"\n")
            out.flush()
        except BrokenPipeError:
            sys.exit(1)
        except BaseException as error:
            frame = _frame_of(error, kind)
            if frame is None:
                raise
            out.write(msgspec.json.encode(frame) + b"\n")
            out.flush()


def _frame_of(error: BaseException, kind: str) -> Frame | None:
    """What to tell the reader of an error; None for what is no fault of the file."""
    if isinstance(error, RequestError):
        return Frame(error=error.message, param=error.param, is_too_large=isinstance(error, TooLargeError))
    if isinstance(error, MemoryError):
        return Frame(error=MAX_MEMORY_MESSAGE, is_too_large=True)
    # Whatever a library raises on a damaged file.
    if isinstance(error, Exception) or type(error).__name__ == RUST_PANIC:
        return _damaged(kind, error)
    return None


def _damaged(kind: str, error: BaseException) -> Frame:
    return Frame(error=f"the {kind} file is damaged ({type(error).__name__}: {str(error)[:200]})")


def _opened(kind: str, file: Any, sheet: str | None, max_bytes: int) -> tuple[Frame, Iterator[NumberedCells]]:  # noqa: ANN401  a file
    # Each library is loaded only where its format comes.
    if kind == "xlsx":
        from api.uploads.spreadsheets import read_sheet  # noqa: PLC0415

        return Frame(), read_sheet(file, sheet, max_bytes)
    if kind == "parquet":
        from api.uploads.parquet import read_parquet  # noqa: PLC0415

        return read_parquet(file, max_bytes)
    raise MalformedRequestError(f"no reader for {kind}")


if __name__ == "__main__":
    main()
