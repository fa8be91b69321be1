"""Reads the first rows of a file without keeping it, so that a person can see how the service understands the file."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Any

import msgspec

from api.jobs.options import OptionsCheck
from api.uploads.opening import Opened, UploadOpener, UploadRequest
from shared.errors import KobertError
from shared.jobs.records import Row
from shared.settings import Settings

PREVIEW_ROWS = 20
MAX_PREVIEW_BYTES = 8 * 1024 * 1024
# As much at a time as the network would bring.
PIECE_BYTES = 64 * 1024
# A preview is read by a person; nobody reads a cell further than this.
MAX_CELL_CHARS = 300
_Fields = list[msgspec.Raw] | dict[str, msgspec.Raw] | str | None
_FIELDS: msgspec.json.Decoder[_Fields] = msgspec.json.Decoder(_Fields)


class HeldBody:
    """A body that is in memory, as an upload's parser reads it. Nobody waits for its client."""

    waited_s = pause_s = 0.0

    def __init__(self, content: bytes | bytearray) -> None:
        self._content = content

    @property
    def received_bytes(self) -> int:
        """Its size."""
        return len(self._content)

    def refuse(self, make_error: Callable[[], KobertError]) -> None:
        """Do nothing: it is not slow."""

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, len(self._content), PIECE_BYTES):
            yield bytes(self._content[start : start + PIECE_BYTES])


class JobPreview:
    """Thread-safe and blocking."""

    def __init__(self, settings: Settings, options_check: OptionsCheck) -> None:
        self._settings = settings
        self._options_check = options_check

    def read(self, request: UploadRequest, body: HeldBody) -> dict[str, Any]:
        """What a job of this file would have: format, encoding, columns, the text column, and `PREVIEW_ROWS` rows.

        `body` may be the beginning of a file; its last row may then be cut.

        Raises:
            RequestError: a job of the file would be refused too.
        """
        opener = UploadOpener(self._settings, partial(self._options_check.check, request.owner))
        upload = opener.open(request, body)
        try:
            rows = list(islice(upload.source.rows, PREVIEW_ROWS))
            return _describe(upload, rows)
        finally:
            upload.source.close()


def _describe(upload: Opened, rows: list[Row]) -> dict[str, Any]:
    known: Mapping[str, Any] = {"format": upload.format, **upload.source.describe()}
    columns: list[str] = known.get("columns") or ["text"]
    text_column = known.get("text_column") or columns[0]
    return {
        "object": "job.preview",
        "format": known["format"],
        "encoding": known.get("encoding"),
        "columns": columns,
        "text_column": text_column,
        "rows": [_show(row, columns, known.get("text_at"), text_column) for row in rows],
    }


def _show(row: Row, columns: list[str], text_at: int | None, text_column: str) -> dict[str, Any]:
    error = None if row.error is None else {"code": row.error.code, "message": row.error.message}
    cells = _cells(row, columns, columns.index(text_column) if text_at is None else text_at)
    return {"line": row.line, "cells": cells, "error": error}


def _cells(row: Row, columns: list[str], text_at: int) -> list[str]:
    fields = _FIELDS.decode(row.fields)
    if isinstance(fields, list):
        cells = [_shown(value) for value in fields]
    elif isinstance(fields, dict):
        cells = [_shown(fields[name]) if name in fields else "" for name in columns]
    else:
        cells = [""] * len(columns)
    kept = fields if isinstance(fields, str) else ""
    cells[text_at] = (row.text or cells[text_at] or kept)[:MAX_CELL_CHARS]
    return cells


def _shown(value: msgspec.Raw) -> str:
    raw = bytes(memoryview(value))
    text = str(msgspec.json.decode(raw)) if raw.startswith(b'"') else raw.decode()
    return "" if text == "null" else text[:MAX_CELL_CHARS]
