"""A correction as clients see it: as JSON, and as a row of an exported file."""

import codecs
import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import msgspec

from api.jobs.rendering import defused, quoting_for
from shared.corrections.records import Correction

COLUMNS = ("text", "classification", "policy", "note", "created_at", "created_by", "id")


def show_correction(correction: Correction) -> dict[str, Any]:
    """The object as JSON values."""
    record = correction.record
    return {
        "id": correction.id,
        "object": "correction",
        "text": record.text,
        "classification": record.classification,
        "policy": record.policy,
        "note": record.note,
        "created_at": record.created_at,
        "created_by": record.created_by,
    }


class Export(Protocol):
    """One exported file: `head` once, then `lines` for each page."""

    media_type: str

    def head(self) -> bytes:
        """What comes before the first correction."""
        ...

    def lines(self, corrections: Iterable[Correction]) -> bytes:
        """Some corrections."""
        ...


class JsonLines:
    """One object a correction."""

    media_type = "application/jsonl; charset=utf-8"

    def head(self) -> bytes:
        """Nothing: every line says what it is."""
        return b""

    def lines(self, corrections: Iterable[Correction]) -> bytes:
        """One line each."""
        return b"".join(msgspec.json.encode(show_correction(one)) + b"\n" for one in corrections)


class Table:
    """A csv. A byte order mark tells Excel that it is UTF-8; `is_safe` defuses formulas, as in the results of a job."""

    media_type = "text/csv; charset=utf-8"

    def __init__(self, *, is_safe: bool) -> None:
        self._is_safe = is_safe

    def head(self) -> bytes:
        """The mark, and the names of the columns."""
        return codecs.BOM_UTF8 + self._write([COLUMNS])

    def lines(self, corrections: Iterable[Correction]) -> bytes:
        """One line each, or more where a cell holds line feeds."""
        return self._write([self._cells(one) for one in corrections])

    def _cells(self, correction: Correction) -> list[str]:
        shown = show_correction(correction)
        cells = ["" if shown[name] is None else str(shown[name]) for name in COLUMNS]
        return [defused(cell) for cell in cells] if self._is_safe else cells

    def _write(self, rows: Iterable[Sequence[str]]) -> bytes:
        text = io.StringIO(newline="")
        csv.writer(text, quoting=quoting_for(is_safe=self._is_safe)).writerows(rows)
        return text.getvalue().encode()
