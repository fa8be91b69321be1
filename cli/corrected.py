"""Corrections in a file of verdicts that somebody went through: rows whose column says what they should have been."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from api.uploads.columns import find_column
from cli.labelled import as_label
from cli.texts import ReadingOptions, open_rows
from shared.errors import MalformedRequestError

CLASSIFICATION = "classification"


@dataclass(frozen=True)
class Columns:
    """Names or numbers of the columns with what a text should have been, its policy and a note; None where unused."""

    said: str
    policy: str | None = None
    note: str | None = None


@dataclass(frozen=True)
class CorrectedRow:
    """A row of the file: `said` is empty where nobody corrected it; `fault` says why it cannot be read."""

    line: int
    text: str
    said: str
    was: str = ""
    policy: str = ""
    note: str = ""
    fault: str = ""

    @property
    def is_correction(self) -> bool:
        """Whether somebody said something else than what the row was answered with."""
        return bool(self.said) and self.said != self.was


def read_corrected(file: Path, reading: ReadingOptions, columns: Columns) -> Iterator[CorrectedRow]:
    """Every row of the file, read as a job's file is.

    Raises:
        KobertError: it cannot be read, or has no such column.
    """
    with open_rows(file, reading) as source:
        places: dict[str, int] | None = None
        for row in source.rows:
            cells = msgspec.json.decode(row.fields)
            if isinstance(cells, list):
                names = list(source.describe()["columns"])
                places = places or _places(names, columns)
                values = {role: as_label(cells[place]) for role, place in places.items()}
            elif isinstance(cells, dict):
                values = {role: as_label(cells.get(name)) for role, name in _names(columns).items()}
            elif row.error is None:
                raise MalformedRequestError(
                    f"the lines hold texts alone; a column {columns.said} is needed beside them"
                )
            else:
                values = {}
            yield _row(row.line, row.text, values, "" if row.error is None else row.error.message)


def _row(line: int, text: str | None, values: Mapping[str, str], fault: str) -> CorrectedRow:
    # What is wrong with a row that nobody corrected is nobody's concern here.
    is_marked = bool(values.get("said")) or not values
    return CorrectedRow(line, text or "", fault=fault if is_marked else "", **{"said": "", **values})


def _names(columns: Columns) -> dict[str, str]:
    named = {"said": columns.said, "policy": columns.policy, "note": columns.note, "was": CLASSIFICATION}
    return {role: name for role, name in named.items() if name and (role != "was" or name != columns.said)}


def _places(names: Sequence[str], columns: Columns) -> dict[str, int]:
    wanted: dict[str, Any] = {"said": columns.said, "policy": columns.policy, "note": columns.note}
    places = {role: find_column(names, name, _OPTIONS[role]) for role, name in wanted.items() if name is not None}
    if CLASSIFICATION in names and names.index(CLASSIFICATION) != places["said"]:
        places["was"] = names.index(CLASSIFICATION)
    return places


_OPTIONS = {"said": "column", "policy": "policy_column", "note": "note_column"}
