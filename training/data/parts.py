"""Which texts a cascade is fitted on, which its cut is chosen on, and which are held out to certify it."""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from training.data.sources import Row, squashed

COMMENTS = "unlabelled_comments"
FIT, TUNE, HELD = "fit", "tune", "held"
HELD_TEXTS = 50_000
_UNREAD = ("field",)  # hand-written lines that only the verdict's tables read
_PARTS = 1_000
_SEED = 17


@dataclass(frozen=True)
class Shares:
    """Thousandths of a source's texts that are held out, and that the cut is chosen on."""

    held: int
    tune: int


# Half of the comments are held out: they are what the service reads.
_OF_COMMENTS, _OF_OTHERS = Shares(held=500, tune=100), Shares(held=120, tune=60)


def read_by_cascade(rows: Iterable[Row]) -> list[Row]:
    """The rows that may be read at all, each text once, white space aside."""
    return list({squashed(row.text): row for row in rows if row.source not in _UNREAD}.values())


def part_of(row: Row) -> str:
    """The part of a row: dev rows are held out, and so is a share of all others, by a hash of the text."""
    if row.split == "dev":
        return HELD
    shares = _OF_COMMENTS if row.source == COMMENTS else _OF_OTHERS
    place = zlib.crc32(squashed(row.text).encode()) % _PARTS
    if place < shares.held:
        return HELD
    return TUNE if place < shares.held + shares.tune else FIT


def held_texts(rows: Sequence[Row], most: int = HELD_TEXTS) -> list[Row]:
    """The texts that a cascade is certified on: all dev rows and held-out comments, and others drawn at random."""
    held = [row for row in read_by_cascade(rows) if part_of(row) == HELD]
    order = [held[index] for index in np.random.default_rng(_SEED).permutation(len(held))]
    order.sort(key=lambda row: row.split != "dev" and row.source != COMMENTS)
    return order[:most]
