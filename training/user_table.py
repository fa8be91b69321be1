"""A user's labelled texts: checked, and split into rows to learn from and rows to score."""

import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bundles.text.identity import text_key
from shared.errors import ModelSourceError
from training.corrections import CorrectedText

_DEV_EVERY = 10
_FEWEST_ROWS = 20


@dataclass(frozen=True)
class UserTable:
    """Texts with the index of their label; `labels` are sorted. `corrected` are to be learnt and none is scored."""

    labels: list[str]
    train: list[tuple[str, int]]
    dev: list[tuple[str, int]]
    corrected: tuple[tuple[str, int], ...] = ()


def split_rows(rows: Iterable[tuple[str, str]], source: str, corrections: Sequence[CorrectedText] = ()) -> UserTable:
    """Split `(text, label)` rows: a fixed tenth of each label's texts, chosen by the text itself, is kept for scoring.

    A text with two labels takes the more frequent one; of one that was corrected, disguises aside, the table's own rows
    are left out. `source` is what the user calls the table.

    Raises:
        ModelSourceError: there is too little to learn from.
    """
    keys = {text_key(correction.text) for correction in corrections}
    label_of = {
        text: label for text, label in _one_label_a_text(rows).items() if not keys or text_key(text) not in keys
    }
    labels = sorted({*label_of.values(), *(correction.classification for correction in corrections)})
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
    corrected = tuple((one.text, labels.index(one.classification)) for one in corrections)
    return UserTable(labels, train, dev, corrected)


def _place(text: str) -> int:
    """An order that has nothing to do with the file's, and is the same every time."""
    return zlib.crc32(text.encode())


def _one_label_a_text(rows: Iterable[tuple[str, str]]) -> dict[str, str]:
    votes: dict[str, Counter[str]] = {}
    for text, label in rows:
        votes.setdefault(text, Counter())[label] += 1
    return {text: counts.most_common(1)[0][0] for text, counts in votes.items()}
