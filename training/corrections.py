"""Corrections that people made of a running service's answers, as labelled texts: a file of `GET /corrections`."""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.errors import ModelSourceError

_SEPARATORS = ",;\t"
_SEPARATOR_LINE = re.compile(r'"?sep=([^"\x00-\x08\x0a-\x1f])"?[,;\t]*\s*', re.IGNORECASE)


@dataclass(frozen=True)
class CorrectedText:
    """A text, and what a person said that it is."""

    text: str
    classification: str


@dataclass(frozen=True)
class Corrections:
    """What was read. `of_policies` were left out: they are right under one policy and may be wrong without it."""

    texts: list[CorrectedText]
    of_policies: int = 0


def read_corrections(path: Path) -> Corrections:
    """Read an export, jsonl or csv. Of a text that stands there twice, the last one counts.

    Raises:
        ModelSourceError: it cannot be read, or a row lacks its text or classification; names the line.
    """
    found: dict[str, CorrectedText] = {}
    of_policies = 0
    for line, row in _rows(path):
        if row.get("policy"):
            of_policies += 1
            continue
        text, classification = row.get("text"), row.get("classification")
        if not (isinstance(text, str) and text.strip() and isinstance(classification, str) and classification):
            raise ModelSourceError(f"{path}, line {line}: this correction lacks its text or its classification")
        found.pop(text, None)
        found[text] = CorrectedText(text.strip(), classification)
    if not found:
        raise ModelSourceError(f"{path} holds no correction; export them with kobert corrections export -o FILE")
    return Corrections(list(found.values()), of_policies)


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The rows with their lines in the file."""
    try:
        text = _decoded(path.read_bytes())
        if path.suffix.lower() == ".csv":
            yield from _table(text)
        else:
            lines = enumerate(io.StringIO(text), start=1)
            yield from ((line, _object(raw, path, line)) for line, raw in lines if raw.strip())
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ModelSourceError(f"{path} cannot be read as corrections: {error}") from error


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp949")  # what Excel makes of an export in Korea


def _table(text: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The rows of a csv, also of one that Excel has saved again: with semicolons, tabs or a line that says `sep=;`."""
    first, _, others = text.partition("\n")
    said = _SEPARATOR_LINE.fullmatch(first)
    header = (others if said else text).partition("\n")[0]
    separator = said[1] if said else max(_SEPARATORS, key=header.count)
    reader = csv.DictReader(io.StringIO(others if said else text, newline=""), delimiter=separator)
    for row in reader:
        yield reader.line_num + (said is not None), row


def _object(raw: str, path: Path, line: int) -> Mapping[str, Any]:
    try:
        row = json.loads(raw)
    except ValueError as error:
        raise ModelSourceError(f"{path}, line {line} is not JSON: {error}; a csv file must end in .csv") from error
    if not isinstance(row, dict):
        raise ModelSourceError(f"{path}, line {line} is no object with a text and a classification")
    return row
