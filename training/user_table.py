"""A user's labelled texts: checked, and split into rows to learn from and rows to score."""

import zlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from shared.errors import ModelSourceError

_DEV_EVERY = 10
_FEWEST_ROWS = 20


@dataclass(frozen=True)
class UserTable:
    """Texts with the index of their label; `labels` are sorted."""

    labels: list[str]
    train: list[tuple[str, int]]
    dev: list[tuple[str, int]]


def split_rows(rows: Iterable[tuple[str, str]], source: str) -> UserTable:
    """Split `(text, label)` rows: a fixed tenth of each label's texts, chosen by the text itself, is kept for scoring.

    A text with two labels takes the more frequent one. `source` is what the user calls the table.

    Raises:
        ModelSourceError: there is too little to learn from.
    """
    label_of = _one_label_a_text(rows)
    labels = sorted(set(label_of.values()))
    if len(labels) < 2 or len(label_of) < _FEWEST_ROWS:
        raise ModelSourceError(
            f"{source} has {len(label_of)} different texts and {len(labels)} labels; "
            f"at least {_FEWEST_ROWS} texts and 2 labels are needed"
        )
    train: list[tuple[str, int]] = []
    dev: list[tuple[str, int]] = []
    for label, name in enumerate(labels):
        texts = sorted((text for text, own in label_of.items() if own == name), key=_place)
        kept = max(1, len(texts) // _DEV_EVERY) if len(texts) > 1 else 0
        dev += [(text, label) for text in texts[:kept]]
        train += [(text, label) for text in texts[kept:]]
    return UserTable(labels, train, dev)


def _place(text: str) -> int:
    """An order that has nothing to do with the file's, and is the same every time."""
    return zlib.crc32(text.encode())


def _one_label_a_text(rows: Iterable[tuple[str, str]]) -> dict[str, str]:
    votes: dict[str, Counter[str]] = {}
    for text, label in rows:
        votes.setdefault(text, Counter())[label] += 1
    return {text: counts.most_common(1)[0][0] for text, counts in votes.items()}
