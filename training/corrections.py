"""Corrections that people made of a running service's answers, as labelled texts: a file of `GET /corrections`."""

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.errors import ModelSourceError


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
        with path.open(encoding="utf-8-sig", newline="") as file:
            if path.suffix.lower() == ".csv":
                reader = csv.DictReader(file)
                for row in reader:
                    yield reader.line_num, row
            else:
                yield from ((line, _object(raw, path, line)) for line, raw in enumerate(file, start=1) if raw.strip())
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ModelSourceError(f"{path} cannot be read as corrections: {error}") from error


def _object(raw: str, path: Path, line: int) -> Mapping[str, Any]:
    try:
        row = json.loads(raw)
    except ValueError as error:
        raise ModelSourceError(f"{path}, line {line} is not JSON: {error}; a csv file must end in .csv") from error
    if not isinstance(row, dict):
        raise ModelSourceError(f"{path}, line {line} is no object with a text and a classification")
    return row
