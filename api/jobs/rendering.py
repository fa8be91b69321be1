"""From rows and verdicts to the lines of a result file: jsonl, or csv and tsv with the user's columns first."""

import codecs
import csv
import io
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, Literal, Protocol

import msgspec

from api.jobs.names import prefix_for, unique
from api.jobs.optional_columns import optional_cells, optional_columns, optional_values
from api.uploads.objects import value_at_path
from shared.jobs.records import Job, Row
from shared.verdict import Failure, Outcome

Fields = list[msgspec.Raw] | dict[str, msgspec.Raw] | str | None
Numbered = tuple[int, Row, Outcome]

_FIELDS: msgspec.json.Decoder[Fields] = msgspec.json.Decoder(Fields)
_encode = msgspec.json.Encoder().encode
LABEL_SEPARATOR = "|"
# The full-width signs of a Korean or Japanese keyboard count as the others do.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


class Renderer(Protocol):
    """One result file: `head` once, then `lines` for each chunk."""

    media_type: str

    def head(self) -> bytes:
        """What comes before the first row."""
        ...

    def lines(self, rows: Iterable[Numbered]) -> bytes:
        """Some rows; each with its number from 1."""
        ...


class JsonLines:
    """One object a row: the user's fields, then ours; ours with a prefix in rows where a name is taken."""

    media_type = "application/jsonl; charset=utf-8"

    def __init__(self, job: Job) -> None:
        self._spec = job.spec
        self._columns = unique(job.spec.columns or [])

    def head(self) -> bytes:
        """Nothing: every line says what it is."""
        return b""

    def lines(self, rows: Iterable[Numbered]) -> bytes:
        """One line a row."""
        return b"".join(_encode(self._show(*row)) + b"\n" for row in rows)

    def _show(self, number: int, row: Row, outcome: Outcome) -> dict[str, Any]:
        theirs = self._theirs(row)
        ours = {"row": number, **self._id(theirs), **shown_verdict(row, outcome)}
        prefix = prefix_for(ours, theirs)
        return {**theirs, **{prefix + name: value for name, value in ours.items()}}

    def _theirs(self, row: Row) -> dict[str, Any]:
        fields = _FIELDS.decode(row.fields)
        if isinstance(fields, list):
            cells: list[Any] = [*fields]
            cells[self._spec.text_at] = row.text
            return dict(zip(self._columns, cells, strict=True))
        if isinstance(fields, dict):
            name = str(self._spec.text_column)
            # A text at a path is still in its place.
            return {**fields, name: row.text} if name in fields else dict(fields)
        if isinstance(fields, str):
            return {"raw": fields}
        return {"text": row.text}

    def _id(self, theirs: dict[str, Any]) -> dict[str, Any]:
        name = self._spec.id_column
        if name is None or name == "id":
            return {}
        found = theirs[name] if name in theirs else value_at_path(theirs, name)
        return {} if found is None else {"id": found}


class VerdictLines:
    """One object a row: its number, its text and what became of it, without the user's other fields."""

    media_type = JsonLines.media_type

    def head(self) -> bytes:
        """Nothing: every line says what it is."""
        return b""

    def lines(self, rows: Iterable[Numbered]) -> bytes:
        """One line a row."""
        return b"".join(
            _encode({"row": number, "text": row.text, **shown_verdict(row, outcome)}) + b"\n"
            for number, row, outcome in rows
        )


class Table:
    """The user's columns in their order, then ours. A byte order mark tells Excel that it is UTF-8.

    The user's cells come back as they were sent, also those that a spreadsheet would take for a formula; `is_safe` puts
    an apostrophe before these (OWASP, "CSV Injection").
    """

    def __init__(self, job: Job, separator: str, *, is_safe: bool) -> None:
        self.media_type = "text/csv; charset=utf-8" if separator == "," else "text/tab-separated-values; charset=utf-8"
        self._spec = job.spec
        self._columns = job.spec.columns or ["text"]
        self._is_safe = is_safe
        self._separator = separator
        self._label_names = job.label_names
        self._optional = optional_columns(job)
        ours = our_columns(job)
        prefix = prefix_for(ours, self._columns)
        self._header = [*self._columns, *(prefix + name for name in ours)]

    def head(self) -> bytes:
        """The mark, and the names of the columns."""
        header = [defused(name) for name in self._header] if self._is_safe else self._header
        return codecs.BOM_UTF8 + self._write([header])

    def lines(self, rows: Iterable[Numbered]) -> bytes:
        """One line a row, or more where a cell holds line feeds."""
        return self._write([*self.cells(row), *self._verdict(outcome)] for _, row, outcome in rows)

    def _write(self, rows: Iterable[Sequence[Any]]) -> bytes:
        text = io.StringIO(newline="")
        csv.writer(text, delimiter=self._separator, quoting=quoting_for(is_safe=self._is_safe)).writerows(rows)
        return text.getvalue().encode()

    def cells(self, row: Row) -> list[str]:
        """The user's columns of a row, as text."""
        fields = _FIELDS.decode(row.fields)
        if isinstance(fields, list):
            cells = [_cell(value) for value in fields]
            cells[self._spec.text_at] = row.text or ""
        elif isinstance(fields, dict):
            cells = [_cell(fields[name]) if name in fields else "" for name in self._columns]
            cells[self._text_place()] = row.text or ""
        else:
            cells = [""] * len(self._columns)
            cells[self._text_place()] = row.text or fields or ""
        return [defused(cell) for cell in cells] if self._is_safe else cells

    def raw_cells(self, row: Row) -> list[msgspec.Raw | str | None]:
        """The user's columns of a row, as they were sent."""
        fields = _FIELDS.decode(row.fields)
        cells: list[msgspec.Raw | str | None]
        if isinstance(fields, list):
            cells = [*fields]
            cells[self._spec.text_at] = row.text
            return cells
        theirs = fields if isinstance(fields, dict) else {}
        cells = [theirs.get(name) for name in self._columns]
        cells[self._text_place()] = row.text or (fields if isinstance(fields, str) else None)
        return cells

    def _text_place(self) -> int:
        name = self._spec.text_column
        return self._columns.index(name) if name in self._columns else 0

    def _verdict(self, outcome: Outcome) -> list[Any]:
        if isinstance(outcome, Failure):
            empty = [""] * (3 + len(self._label_names))
            return [*empty, f"{outcome.code}: {outcome.message}", *[""] * len(self._optional)]
        labels = LABEL_SEPARATOR.join(outcome.labels)
        # By name: should a worker have served another model, its chunk has other labels.
        scores = [outcome.scores.get(name, "") for name in self._label_names]
        optional = [cell or "" for cell in optional_cells(outcome, self._optional)]
        classification = outcome.classification
        if self._is_safe:  # a policy names labels as it likes
            classification, labels, *optional = map(defused, (classification, labels, *optional))
        return [classification, outcome.confidence, labels, *scores, "", *optional]


def our_columns(job: Job) -> list[str]:
    """The columns that a table has besides the user's, in their order."""
    scores = [f"score_{name}" for name in job.label_names]
    return ["classification", "confidence", "labels", *scores, "error", *optional_columns(job)]


def shown_verdict(row: Row, outcome: Outcome) -> dict[str, Any]:
    """The fields that a row has besides those of its user."""
    if isinstance(outcome, Failure):
        return {"error": {"code": outcome.code, "message": outcome.message, "line": row.line}}
    return {
        "classification": outcome.classification,
        "confidence": outcome.confidence,
        "labels": outcome.labels,
        "scores": outcome.scores,
        **optional_values(outcome),
    }


def _cell(value: msgspec.Raw) -> str:
    raw = bytes(memoryview(value))
    if raw.startswith(b'"'):
        return str(msgspec.json.decode(raw))
    return "" if raw == b"null" else raw.decode()


def quoting_for(*, is_safe: bool) -> Literal[0, 1]:
    """How cells are quoted: a safe file has all in quotes, because `a;=1` is two cells where Excel splits at `;`."""
    return csv.QUOTE_ALL if is_safe else csv.QUOTE_MINIMAL


@cache
def _unseen() -> str:
    """Characters that a program may skip before a formula: spaces, control characters and invisible ones."""
    signs = map(chr, range(0x10000))
    return "".join(sign for sign in signs if sign.isspace() or unicodedata.category(sign) in {"Cc", "Cf"})


def defused(cell: str) -> str:
    """The cell with an apostrophe before what a spreadsheet would run as a formula."""
    if cell.startswith(_FORMULA_STARTS) or cell.lstrip(_unseen()).startswith(_FORMULA_STARTS):
        return "'" + cell
    return cell
