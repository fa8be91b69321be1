"""A user's labelled texts: checked, and split into rows to learn from and rows to score."""

import re
import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from bundles.labels import CLEAN_NAMES, find_clean_name
from bundles.text.identity import text_key
from shared.errors import ModelSourceError
from training.corrections import CorrectedText

_DEV_EVERY = 10
_FEWEST_ROWS = 20
# Between the labels of a text that has several.
SEVERAL = ";"
# Of a label with fewer scored texts, one text more or less changes every figure.
FEWEST_SCORED = 10
_SEPARATOR = re.compile(r"[,;|]")


@dataclass(frozen=True)
class UserTable:
    """Texts with the index of their label; `labels` are sorted. `corrected` are to be learnt and none is scored.

    Where a text has several labels, an entry of `labels` is what a text has together, joined by `;`, and empty for a
    harmless text; `clean_name` is then what that is called, and None where a text has one label.
    """

    labels: list[str]
    train: list[tuple[str, int]]
    dev: list[tuple[str, int]]
    corrected: tuple[tuple[str, int], ...] = ()
    clean_name: str | None = None

    @property
    def names(self) -> list[str]:
        """The labels that a model of the table answers."""
        return self.labels if self.clean_name is None else sorted({part for own in self.labels for part in parts(own)})

    @property
    def members(self) -> list[list[bool]]:
        """For each of `labels`, which of `names` it stands for."""
        if self.clean_name is None:
            return [[name == own for name in self.labels] for own in self.labels]
        return [[name in parts(own) for name in self.names] for own in self.labels]


def parts(joined: str) -> list[str]:
    """The labels in a cell that may have several: `욕설; 모욕`."""
    return [part.strip() for part in joined.split(SEVERAL) if part.strip()]


def join_labels(rows: Iterable[tuple[str, str]], clean: str | None) -> tuple[list[tuple[str, str]], str]:
    """Rows whose cells have several labels, each in one order and without the clean one; and what that is called.

    `clean` is its name; None: `clean` or `정상`, as the rows have it.
    """
    rows = list(rows)
    name = clean or find_clean_name(part for _, label in rows for part in parts(label)) or CLEAN_NAMES[0]
    return [(text, SEVERAL.join(sorted({*parts(label)} - {name}))) for text, label in rows], name


def split_rows(
    rows: Iterable[tuple[str, str]],
    source: str,
    corrections: Sequence[CorrectedText] = (),
    clean_name: str | None = None,
) -> UserTable:
    """Split `(text, label)` rows: a fixed tenth of each label's texts, chosen by the text itself, is kept for scoring.

    A text with two labels takes the more frequent one; of one that was corrected, disguises aside, the table's own rows
    are left out. `source` is what the user calls the table. With a `clean_name`, a text has several labels, as
    `join_labels` gives them.

    Raises:
        ModelSourceError: there is too little to learn from.
    """
    keys = {text_key(correction.text) for correction in corrections}
    label_of = {
        text: label for text, label in _one_label_a_text(rows).items() if not keys or text_key(text) not in keys
    }
    corrected_as = [("" if one.classification == clean_name else one.classification) for one in corrections]
    labels = sorted({*label_of.values(), *corrected_as})
    if len(labels) < 2 or len(label_of) < _FEWEST_ROWS:
        raise ModelSourceError(
            f"{source} has {len(label_of)} different texts and {len(labels)} labels; "
            f"at least {_FEWEST_ROWS} texts and 2 labels are needed"
        )
    _check_labels(label_of, set(corrected_as), source, is_single=clean_name is None)
    train: list[tuple[str, int]] = []
    dev: list[tuple[str, int]] = []
    for label, name in enumerate(labels):
        texts = sorted((text for text, own in label_of.items() if own == name), key=_place)
        kept = max(1, len(texts) // _DEV_EVERY) if len(texts) > 1 else 0
        dev += [(text, label) for text in texts[:kept]]
        train += [(text, label) for text in texts[kept:]]
    corrected = tuple((one.text, labels.index(name)) for one, name in zip(corrections, corrected_as, strict=True))
    return UserTable(labels, train, dev, corrected, clean_name)


def hardly_scored(labels: Sequence[str], confusions: Sequence[Sequence[int]]) -> list[str]:
    """Labels with too few scored texts for their figures to mean anything, each with its number.

    `confusions` are the texts by their label (row) and by the label that they were given (column).
    """
    counts = zip(labels, map(sum, confusions), strict=True)
    return [f"{label} ({count})" for label, count in counts if count < FEWEST_SCORED]


def _check_labels(label_of: Mapping[str, str], corrected: Collection[str], source: str, *, is_single: bool) -> None:
    """Refuse labels that would be learnt as something else than was meant, or scored on nothing.

    Raises:
        ModelSourceError: a label joins others, or has one text; names it.
    """
    counts = Counter(label_of.values())
    if not is_single:
        counts = Counter(part for label in label_of.values() for part in parts(label))
    elif joined := _joined(counts):
        raise ModelSourceError(
            f"{source} has the label {joined!r}, which joins several: a text has one label here. Train with "
            f"--multi-label if texts have several, with {SEVERAL} between them; keep the one to act on; or, if it is "
            "a class of its own, write it without a separator"
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
