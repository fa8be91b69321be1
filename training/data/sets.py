"""The texts that the verdict is measured on: harmless sets, with the share that may be flagged, and bad ones.

Dev rows of the labelled sources, on which thresholds are chosen, and the test sets of `tests/data`, which no threshold
is fitted to. A text counts as flagged when its `classification` is anything but `clean`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.data.signals import ANY, Targets
from training.data.sources import EVERYDAY, TEST_DATA, Row, read_table

_PLEASANT_SEED = 7


@dataclass(frozen=True)
class TextSet:
    """Texts that are all harmless or all bad.

    `limit` is the largest share of a harmless set that may be flagged, or the smallest of a bad one that must be found;
    `tuned` tells whether thresholds are chosen on it; `weight` is its share of a mixture that looks like use.
    """

    name: str
    rows: Sequence[Row]
    bad: bool
    limit: float | None = None
    tuned: bool = False
    weight: float = 0.0

    @property
    def texts(self) -> list[str]:
        """The texts, in order."""
        return [row.text for row in self.rows]


@dataclass(frozen=True)
class _Wanted:
    name: str
    source: str
    has: Callable[[Targets], bool]
    bad: bool
    limit: float | None
    weight: float = 0.0


def _harmless(targets: Targets) -> bool:
    return targets.get(ANY) == 0


def _flagged(targets: Targets) -> bool:
    return targets.get(ANY) == 1


def _positive(targets: Targets) -> bool:
    return targets.get("nsmc/positive") == 1


def _negative(targets: Targets) -> bool:
    return targets.get("nsmc/positive") == 0


_WANTED = (
    _Wanted("K/DA neutral", "kda", _harmless, bad=False, limit=0.025, weight=0.22),
    _Wanted("NSMC positive", "nsmc", _positive, bad=False, limit=0.01, weight=0.08),
    _Wanted("NSMC negative", "nsmc", _negative, bad=False, limit=0.06, weight=0.08),
    _Wanted("K-MHaS not_hate", "kmhas", _harmless, bad=False, limit=0.13, weight=0.22),
    _Wanted("curse-detection clean", "curse_detection", _harmless, bad=False, limit=0.10, weight=0.14),
    _Wanted("KoSBi safe", "kosbi", lambda t: t.get("kosbi/unsafe") == 0, bad=False, limit=0.04, weight=0.03),
    _Wanted("everyday sentences", EVERYDAY, _harmless, bad=False, limit=0.005, weight=0.08),
    _Wanted("headlines", "headlines", _harmless, bad=False, limit=0.02, weight=0.03),
    _Wanted("questions on hard topics", "square_questions", _harmless, bad=False, limit=0.015, weight=0.02),
    _Wanted("HateScore clean", "hatescore", _harmless, bad=False, limit=None),
    _Wanted("field, clean", "field", _harmless, bad=False, limit=0.05),
    _Wanted("BEEP none", "beep", lambda t: t.get("beep/offensive") == 0, bad=False, limit=None),
    _Wanted("K/DA implicit", "kda", _flagged, bad=True, limit=0.75, weight=0.02),
    _Wanted("K-MHaS any label", "kmhas", _flagged, bad=True, limit=0.88, weight=0.04),
    _Wanted("curse-detection curse", "curse_detection", _flagged, bad=True, limit=0.82, weight=0.03),
    _Wanted("HateScore 혐오발언", "hatescore", lambda t: t.get("hate") == 1, bad=True, limit=0.85, weight=0.005),
    _Wanted("HateScore 단순 악플", "hatescore", lambda t: t.get("insult") == 1, bad=True, limit=0.70, weight=0.005),
    _Wanted("field, bad", "field", _flagged, bad=True, limit=0.85),
    _Wanted("BEEP hate", "beep", lambda t: t.get(ANY) == 1, bad=True, limit=None),
    _Wanted("BEEP offensive", "beep", lambda t: 0 < t.get(ANY, 0) < 1, bad=True, limit=None),
    _Wanted("KoSBi unsafe", "kosbi", lambda t: t.get("kosbi/unsafe") == 1, bad=True, limit=None),
)


def dev_sets(dev: Iterable[Row]) -> list[TextSet]:
    """The dev rows by source and by what the source says; a set without rows is left out."""
    by_source: dict[str, list[Row]] = {}
    for row in dev:
        by_source.setdefault(row.source, []).append(row)
    sets = []
    for wanted in _WANTED:
        rows = [row for row in by_source.get(wanted.source, []) if wanted.has(row.targets)]
        if rows:
            tuned = wanted.limit is not None
            sets.append(TextSet(wanted.name, rows, wanted.bad, wanted.limit, tuned, wanted.weight))
    return sets


def unseen_sets(folder: Path = TEST_DATA) -> list[TextSet]:
    """The sets of `tests/data`, family by family; no threshold is chosen on them. None outside a checkout."""
    sets = [
        _table("disguised curses", folder / "obfuscated.tsv", "obfuscated", bad=True, limit=0.97),
        _table("innocent look-alikes", folder / "innocent.tsv", "text", bad=False, limit=0.015),
        _table("threats", folder / "threats.tsv", "text", bad=True, limit=0.80),
        *_families(folder / "harmless.tsv", bad=False),
        *_families(folder / "abusive.tsv", bad=True),
        *_long(folder / "long.tsv"),
    ]
    return [found for found in sets if found.rows]


def _row(text: str) -> Row:
    return Row(text, "tests", "dev")


def _table(name: str, path: Path, column: str, *, bad: bool, limit: float | None) -> TextSet:
    texts = [record[column] for record in read_table(path)] if path.is_file() else []
    return TextSet(name, [_row(text) for text in texts], bad, limit)


def _families(path: Path, *, bad: bool) -> list[TextSet]:
    by_family: dict[str, list[Row]] = {}
    for record in read_table(path) if path.is_file() else []:
        by_family.setdefault(record["family"], []).append(_row(record["text"]))
    return [TextSet(f"family: {name}", rows, bad) for name, rows in by_family.items()]


def _long(path: Path) -> list[TextSet]:
    records = read_table(path) if path.is_file() else []
    harmless = [_row(record["text"]) for record in records if record["label"] == "clean"]
    bad = [_row(record["text"]) for record in records if record["label"] != "clean"]
    return [TextSet("long, harmless", harmless, bad=False), TextSet("long, one bad sentence", bad, bad=True)]


def diluted(texts: Sequence[str], pleasant: Sequence[str], each_side: int, joint: str = " ") -> list[str]:
    """Each text between `each_side` pleasant sentences before and as many after it, drawn anew; the same every time."""
    generator = np.random.default_rng([_PLEASANT_SEED, each_side])
    drawn = [generator.choice(len(pleasant), 2 * each_side) for _ in texts]
    return [
        joint.join([*(pleasant[i] for i in picks[:each_side]), text, *(pleasant[i] for i in picks[each_side:])])
        for text, picks in zip(texts, drawn, strict=True)
    ]


def pleasant_test_sentences(folder: Path = TEST_DATA) -> list[str]:
    """Pleasant sentences that no training row holds."""
    path = folder / "pleasant.txt"
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
