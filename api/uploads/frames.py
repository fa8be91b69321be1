"""What the process that reads a spreadsheet or a parquet file says of it: one JSON line per frame."""

from typing import Any

import msgspec

MAX_MEMORY_MESSAGE = "the file needs too much memory to be read; split it, or send it as csv"

NumberedCells = tuple[int, list[Any]]


class Frame(msgspec.Struct, omit_defaults=True):
    """What one line says: `columns` and `column_types` at first, then `rows` with their numbers in the file."""

    columns: list[str] | None = None
    column_types: list[str] | None = None
    rows: list[tuple[int, list[msgspec.Raw]]] = []
    error: str | None = None
    param: str | None = None
    is_too_large: bool = False
    is_end: bool = False
