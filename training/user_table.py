"""A user's labelled table, CSV or TSV: read, checked, and split into rows to learn from and rows to score."""

import csv
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.errors import ModelSourceError

_DEV_EVERY = 10
_FEWEST_ROWS = 20
_TSV = {".tsv", ".tab"}


@dataclass(frozen=True)
class UserTable:
    """Texts with the index of their label; `labels` in the order of their first appearance when sorted."""

    labels: list[str]
    train: list[tuple[str, int]]
    dev: list[tuple[str, int]]


def read_user_table(path: Path, text_column: str, label_column: str) -> UserTable:
    """Read the table; a fixed tenth of each label's rows, chosen by the text itself, is kept for scoring.

    Raises:
        ModelSourceError: a column is missing, the file is not UTF-8, or there is too little to learn from.
    """
    pairs = _labelled_texts(path, text_column, label_column)
    labels = sorted(set(pairs.values()))
    if len(labels) < 2 or len(pairs) < _FEWEST_ROWS:
        raise ModelSourceError(
            f"{path} has {len(pairs)} different texts and {len(labels)} labels; "
            f"at least {_FEWEST_ROWS} texts and 2 labels are needed"
        )
    train: list[tuple[str, int]] = []
    dev: list[tuple[str, int]] = []
    for label, name in enumerate(labels):
        texts = sorted((text for text, own in pairs.items() if own == name), key=lambda text: zlib.crc32(text.encode()))
        kept = max(1, len(texts) // _DEV_EVERY) if len(texts) > 1 else 0
        dev += [(text, label) for text in texts[:kept]]
        train += [(text, label) for text in texts[kept:]]
    return UserTable(labels, train, dev)


def _labelled_texts(path: Path, text_column: str, label_column: str) -> dict[str, str]:
    """One label a text: a text that stands twice with two labels takes the one that is more frequent for it."""
    votes: dict[str, Counter[str]] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, delimiter="\t" if path.suffix in _TSV else ",")
            _check_columns(path, reader.fieldnames, (text_column, label_column))
            for row in reader:
                text, label = (row[text_column] or "").strip(), (row[label_column] or "").strip()
                if text and label:
                    votes.setdefault(text, Counter())[label] += 1
    except UnicodeDecodeError as error:
        raise ModelSourceError(f"{path} is not UTF-8: save it as UTF-8 (iconv -f cp949 -t utf-8)") from error
    except OSError as error:
        raise ModelSourceError(f"{path} cannot be read: {error.strerror}") from error
    return {text: counts.most_common(1)[0][0] for text, counts in votes.items()}


def _check_columns(path: Path, found: Sequence[str] | None, wanted: tuple[str, ...]) -> None:
    missing = [name for name in wanted if name not in (found or ())]
    if missing:
        raise ModelSourceError(f"{path} has no column {', '.join(missing)}; it has {', '.join(found or ['none'])}")
