"""Reads the names of a model's classes from the file beside it: a pickle, a pickled label encoder, JSON or text."""

import json
import re
from pathlib import Path
from typing import Any

from convert.pickles import Instance, read_pickle
from shared.errors import ModelSourceError

_ENCODERS = ("sklearn.preprocessing._label.LabelEncoder", "sklearn.preprocessing.label.LabelEncoder")
_NUMBER_FIRST = re.compile(r"(?P<index>\d{1,6})(?:\s*[:,]\s*|\s+)(?P<name>.+)")
_NUMBER_LAST = re.compile(r"(?P<name>.+?)\s*[\t,:]\s*(?P<index>\d{1,6})")


def read_categories(path: Path) -> list[str]:
    """Names of the classes in index order: from name -> index, index -> name, or a plain list.

    A text has one a line, with or without its index (`0 clean`, `clean<tab>0`). Indices run from 0 or from 1.

    Raises:
        ModelSourceError: it is something else; says what it must be.
    """
    by_index = _by_index(_content(path))
    first = 1 if by_index and 0 not in by_index else 0
    labels = [by_index.get(index) for index in range(first, first + len(by_index))]
    if not labels or not all(isinstance(label, str) and label for label in labels) or len(set(labels)) != len(labels):
        raise ModelSourceError(
            f"{path.name} does not name the classes: it must be a dict such as {{'clean': 0, 'curse': 1}} "
            "whose indices run from 0 or from 1, or a list of names; set MODEL_LABELS instead"
        )
    return [str(label) for label in labels]


def _content(path: Path) -> Any:  # noqa: ANN401  whatever the file holds
    if path.suffix == ".pkl":
        value = read_pickle(path.read_bytes(), path.name, _ENCODERS)
        return value.attributes.get("classes_") if isinstance(value, Instance) else value
    try:
        text = path.read_text(encoding="utf-8-sig")
        return json.loads(text) if path.suffix == ".json" else _lines(text)
    except UnicodeDecodeError as error:
        raise ModelSourceError(
            f"{path.name} cannot be read: it is not in UTF-8, save it so; set MODEL_LABELS instead"
        ) from error
    except (ValueError, RecursionError) as error:
        raise ModelSourceError(f"{path.name} cannot be read: {error}; set MODEL_LABELS instead") from error


def _lines(text: str) -> list[str] | dict[str, str]:
    """One name a line; by index where every line has one, before its name or after a tab or comma."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for form in (_NUMBER_FIRST, _NUMBER_LAST):
        found = [match for line in lines if (match := form.fullmatch(line))]
        numbered = {match["index"]: match["name"] for match in found}
        if len(numbered) == len(lines) and sorted(map(int, numbered)) in (
            list(range(len(lines))), list(range(1, len(lines) + 1)),
        ):  # fmt: skip
            return numbered
    return lines


def _by_index(value: Any) -> dict[int, Any]:  # noqa: ANN401  whatever the file holds
    """Names by index; empty where the file does not number any."""
    if isinstance(value, (list, tuple)):
        return dict(enumerate(value))
    if not isinstance(value, dict):
        return {}
    # JSON writes every key as text: {"0": "clean"}.
    pairs = [(_index(key), name) for key, name in value.items()]
    if not all(isinstance(name, str) for name in value.values()):
        pairs = [(_index(index), name) for name, index in value.items()]
    by_index = {index: name for index, name in pairs if index is not None}
    return by_index if len(by_index) == len(value) else {}


def _index(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return int(number) if number.is_integer() else None
