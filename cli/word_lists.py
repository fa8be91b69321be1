"""Word lists as people have them: a word a line, words with commas, or a table with a column of terms."""

import csv
import io
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from api.uploads.separators import SEPARATORS, said_separator
from shared.errors import KobertError

TERM_COLUMNS = frozenset(("term", "word", "단어", "금지어", "비속어", "욕설"))
_COMMENT = "#"


@dataclass(frozen=True)
class Word:
    """One term, and what its file says of it; None where it says nothing."""

    term: str
    kind: str | None = None
    label: str | None = None
    match: str | None = None


def read_word_list(file: Path, encoding: str | None) -> list[Word]:
    """The words of a file, or of standard input for `-`; UTF-8 and CP949 are told apart.

    Raises:
        KobertError: it cannot be read, or has no word.
    """
    try:
        raw = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        text = _decode(raw, encoding)
    except (OSError, LookupError, UnicodeDecodeError) as error:
        raise KobertError(f"{click.format_filename(file)} cannot be read: {error}") from error
    words = _words(text.lstrip("\ufeff"))
    if not words:
        raise KobertError(f"{click.format_filename(file)} has no words")
    return words


def add_entries(entries: list[Any], new: Iterable[dict[str, str]]) -> int:
    """Add those that are not there yet; returns how many were."""
    there = {entry if isinstance(entry, str) else entry["term"] for entry in entries}
    added = 0
    for entry in new:
        if entry["term"] not in there:
            there.add(entry["term"])
            entries.append(entry)
            added += 1
    return added


def _decode(raw: bytes, encoding: str | None) -> str:
    if encoding is not None:
        return raw.decode(encoding)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp949")  # what Excel and old boards write


def _words(text: str) -> list[Word]:
    separator, table = _separated(text)
    read = csv.reader(io.StringIO(table), delimiter=separator)
    rows = [row for row in read if row and not row[0].lstrip().startswith(_COMMENT)]
    if rows and (columns := _columns(rows[0])):
        return [word for row in rows[1:] if (word := _word(row, columns)).term]
    return [Word(cell.strip()) for row in rows for cell in row if cell.strip()]


def _separated(text: str) -> tuple[str, str]:
    """What separates the cells, and the lines without Excel's `sep=;`. A plain list has commas at most."""
    first, _, others = text.partition("\n")
    said = said_separator(first)
    if said is not None:
        return said, others
    header = next((line for line in text.splitlines() if line.strip() and not line.lstrip().startswith(_COMMENT)), "")
    return next((sign for sign in SEPARATORS if _columns(next(csv.reader([header], delimiter=sign)))), ","), text


def _columns(header: Sequence[str]) -> dict[str, int]:
    """Places of the columns of a table, by what they hold; empty where the first line is a word."""
    names = [name.strip().lower() for name in header]
    term = next((place for place, name in enumerate(names) if name in TERM_COLUMNS), None)
    if term is None:
        return {}
    return {"term": term, **{name: names.index(name) for name in ("list", "label", "match") if name in names}}


def _word(row: Sequence[str], columns: dict[str, int]) -> Word:
    cells = {name: row[place].strip() if place < len(row) else "" for name, place in columns.items()}
    return Word(cells["term"], *(cells.get(name) or None for name in ("list", "label", "match")))
