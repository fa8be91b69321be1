"""A user's labelled texts: checked, and split into rows to learn from and rows to score."""

import re
import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from bundles.text.identity import text_key
from shared.errors import ModelSourceError
from training.corrections import CorrectedText

_DEV_EVERY = 10
_FEWEST_ROWS = 20
# Of a label with fewer scored texts, one text more or less changes every figure.
FEWEST_SCORED = 10
_SEPARATOR = re.compile(r"[,;|]")


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
    _check_labels(label_of, {correction.classification for correction in corrections}, source)
    train: list[tuple[str, int]] = []
    dev: list[tuple[str, int]] = []
    for label, name in enumerate(labels):
        texts = sorted((text for text, own in label_of.items() if own == name), key=_place)
        kept = max(1, len(texts) // _DEV_EVERY) if len(texts) > 1 else 0
        dev += [(text, label) for text in texts[:kept]]
        train += [(text, label) for text in texts[kept:]]
    corrected = tuple((one.text, labels.index(one.classification)) for one in corrections)
    return UserTable(labels, train, dev, corrected)


def hardly_scored(labels: Sequence[str], confusions: Sequence[Sequence[int]]) -> list[str]:
    """Labels with too few scored texts for their figures to mean anything, each with its number.

    `confusions` are the texts by their label (row) and by the label that they were given (column).
    """
    counts = zip(labels, map(sum, confusions), strict=True)
    return [f"{label} ({count})" for label, count in counts if count < FEWEST_SCORED]


def _check_labels(label_of: Mapping[str, str], corrected: Collection[str], source: str) -> None:
    """Refuse labels that would be learnt as something else than was meant, or scored on nothing.

    Raises:
        ModelSourceError: a label joins others, or has one text; names it.
    """
    counts = Counter(label_of.values())
    if joined := _joined(counts):
        raise ModelSourceError(
            f"{source} has the label {joined!r}, which joins several: a text has one label here. Keep the one to "
            "act on; or, if it is a class of its own, write it without a separator"
        )
    alone = [label for label, texts in counts.items() if texts == 1 and label not in corrected]
    if alone:
        raise ModelSourceError(
            f"{source} has one text with the label {alone[0]!r}, too little to be learnt and scored; "
            "give it more texts, or leave it out"
        )


def _joined(labels: Collection[str]) -> str | None:
    """A label such as `curse,insult`, if a part of it is a label too, or all of its parts are parts of others."""
    parts = {label: [part.strip() for part in _SEPARATOR.split(label)] for label in labels}
    several = {label: own for label, own in parts.items() if len(own) > 1 and all(own)}
    uses = Counter(part for own in several.values() for part in set(own))
    for label, own in several.items():
        if any(part in labels for part in own) or all(uses[part] > 1 for part in own):
            return label
    return None


def _place(text: str) -> int:
    """An order that has nothing to do with the file's, and is the same every time."""
    return zlib.crc32(text.encode())


def _one_label_a_text(rows: Iterable[tuple[str, str]]) -> dict[str, str]:
    votes: dict[str, Counter[str]] = {}
    for text, label in rows:
        votes.setdefault(text, Counter())[label] += 1
    return {text: counts.most_common(1)[0][0] for text, counts in votes.items()}
