"""Labelled texts of a user's file, in every format and encoding that a job's file may have."""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import msgspec

from api.uploads.columns import find_column, shown
from api.uploads.sources import Source
from cli.texts import ReadingOptions, open_rows
from shared.errors import KobertError, MalformedRequestError
from shared.jobs.records import Row
from training.user_table import SEVERAL

_YES = frozenset(("1", "true", "t", "yes", "y", "o", "예", "참"))
_NO = frozenset(("", "0", "false", "f", "no", "n", "x", "아니오", "아니요", "거짓"))
_MAJORITY = 0.5
# A file whose label column has one of these names need not say so.
LABEL_NAMES = frozenset(("label", "labels", "class", "category", "라벨", "레이블", "분류", "카테고리"))


@dataclass
class LabelledRows:
    """What was read: `(text, label)` pairs, and how many rows had to be left out, with the first one's reason."""

    pairs: list[tuple[str, str]]
    left_out: int = 0
    first_fault: str = ""

    def leave_out(self, fault: str) -> None:
        """Count a row that cannot be learnt from."""
        self.left_out += 1
        self.first_fault = self.first_fault or fault


@dataclass(frozen=True)
class LabelColumns:
    """Where the labels are: in one column, or, each in a column of its name, in several that say yes or no.

    `wanted` is the name or number of the one; None: a known name. `several` are names or numbers.
    """

    wanted: str | None = None
    several: tuple[str, ...] = ()


def read_labelled(
    file: Path, reading: ReadingOptions, columns: LabelColumns, *, may_be_empty: bool = False
) -> LabelledRows:
    """Read the whole file; with `may_be_empty` a text without a label is one that has none.

    Raises:
        KobertError: it cannot be read, or has no plain text or label column.
    """
    read = LabelledRows([])
    with open_rows(file, reading) as source:
        for row, label in _rows_with_labels(source, columns):
            text = (row.text or "").strip()
            if row.error is not None:
                read.leave_out(row.error.message)
            elif label is None:
                read.leave_out(f"line {row.line} says something else than yes or no (1 or 0) in a label column")
            elif not label and not may_be_empty:
                read.leave_out(f"line {row.line} has no label")
            elif text:
                read.pairs.append((text, label))
    if not read.pairs:
        reason = read.first_fault or "it has no rows"
        raise KobertError(f"{click.format_filename(file)} has no labelled text: {reason}")
    return read


def _rows_with_labels(source: Source, columns: LabelColumns) -> Iterator[tuple[Row, str | None]]:
    """Each row with its label, or its labels joined by `;`; None where a cell says neither yes nor no."""
    places: dict[str, int] | None = None
    name = columns.wanted
    for row in source.rows:
        cells = msgspec.json.decode(row.fields)
        if isinstance(cells, dict) and columns.several:
            yield row, _joined({label: cells.get(label) for label in columns.several})
        elif isinstance(cells, dict):
            name = name or _known_name(cells)
            yield row, as_label(cells.get(name)) if name else ""
        elif isinstance(cells, list):
            if places is None:
                places = _places(list(source.describe()["columns"]), columns)
            found = {label: cells[place] for label, place in places.items()}
            yield row, _joined(found) if columns.several else as_label(*found.values())
        elif row.error is not None:
            yield row, ""
        else:
            raise MalformedRequestError("the lines hold texts alone; a table with a text and a label column is needed")


def _places(names: Sequence[str], columns: LabelColumns) -> dict[str, int]:
    """The places of the label columns, by their names."""
    if not columns.several:
        return {"": _label_at(names, columns.wanted)}
    found = [find_column(names, wanted, "label_columns") for wanted in columns.several]
    return {as_label(names[place]): place for place in found}


def _joined(cells: Mapping[str, object]) -> str | None:
    """The labels whose cells say yes, joined by `;`; None if a cell says neither yes nor no."""
    said = {label: _is_yes(value) for label, value in cells.items()}
    return None if None in said.values() else SEVERAL.join(label for label, has in said.items() if has)


def _is_yes(value: object) -> bool | None:
    """What a cell says: a share of annotators from one half on is a yes."""
    text = as_label(value).lower()
    if text in _YES or text in _NO:
        return text in _YES
    try:
        share = float(text)
    except ValueError:
        return None
    return share >= _MAJORITY if 0 <= share <= 1 else None


def _label_at(columns: Sequence[str], wanted: str | None) -> int:
    if wanted is not None:
        return find_column(columns, wanted, "label_column")
    known = [index for index, name in enumerate(columns) if _is_label_name(name)]
    if len(known) != 1:
        raise MalformedRequestError(
            f"which column holds the label? Say label_column=NAME; the file has {shown(columns)}"
        )
    return known[0]


def _known_name(fields: Mapping[str, Any]) -> str | None:
    """The field of an object that holds the label. One object may lack what the next one has."""
    known = [name for name in fields if _is_label_name(name)]
    if len(known) > 1:
        raise MalformedRequestError(f"which field holds the label? Say label_column=NAME; there is {shown(known)}")
    return known[0] if known else None


def _is_label_name(name: str) -> bool:
    return unicodedata.normalize("NFC", name).strip().lower() in LABEL_NAMES


def as_label(value: object) -> str:
    """A cell as a label: trimmed, and the same label however its Hangul is composed; empty where there is none."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    # A Mac's Hangul in pieces is the same label.
    return "" if value is None else unicodedata.normalize("NFC", str(value)).strip()
