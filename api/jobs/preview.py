"""Reads the first rows of a file without keeping it, so that a person can see how the service understands the file."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from itertools import islice
from typing import Any

import msgspec

from api.jobs.options import OptionsCheck
from api.uploads.opening import Opened, UploadOpener, UploadRequest
from api.uploads.pull import Body
from shared.errors import KobertError, RequestError
from shared.jobs.records import Row
from shared.settings import Settings

PREVIEW_ROWS = 20
MAX_PREVIEW_BYTES = 8 * 1024 * 1024
# A preview is read by a person; nobody reads a cell further than this.
MAX_CELL_CHARS = 300
_Fields = list[msgspec.Raw] | dict[str, msgspec.Raw] | str | None
_FIELDS: msgspec.json.Decoder[_Fields] = msgspec.json.Decoder(_Fields)


class _BodyInTurn:
    """A body as it comes; who has read all of it goes on alone. What is made of a JSON body is many times its size."""

    def __init__(self, body: Body, turn: AbstractContextManager[object], held: ExitStack) -> None:
        self._body = body
        self._turn = turn
        self._held = held
        self._is_open = True

    @property
    def received_bytes(self) -> int:
        """How much has been read so far."""
        return self._body.received_bytes

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._body
        except KobertError:
            self._is_open = False
            raise
        if self._is_open:
            self._is_open = False
            self._held.enter_context(self._turn)

    def drop_rest(self) -> None:
        """Read on without keeping anything: a client that is still sending would not see the answer."""
        if self._is_open:
            for _ in self._body:
                continue


class JobPreview:
    """Thread-safe and blocking."""

    def __init__(self, settings: Settings, options_check: OptionsCheck) -> None:
        self._settings = settings
        self._options_check = options_check
        self._turn = threading.Lock()

    def read(self, request: UploadRequest, body: Body) -> dict[str, Any]:
        """What a job of this file would have: format, encoding, columns, the text column, and `PREVIEW_ROWS` rows.

        `body` may be the beginning of a file; its last row may then be cut.

        Raises:
            RequestError: a job of the file would be refused too.
        """
        with ExitStack() as held:
            in_turn = _BodyInTurn(body, self._turn, held)
            try:
                shown = self._read(request, in_turn)
            except RequestError:
                in_turn.drop_rest()
                raise
            in_turn.drop_rest()
            return shown

    def _read(self, request: UploadRequest, body: Body) -> dict[str, Any]:
        opener = UploadOpener(self._settings, partial(self._options_check.check, request.owner))
        upload = opener.open(request, body)
        try:
            return _describe(upload, list(islice(upload.source.rows, PREVIEW_ROWS)))
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
        "header_row": known.get("header_row"),
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
