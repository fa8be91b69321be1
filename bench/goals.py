"""Which goals of the verdict a bundle misses, and what it would cost to meet them by its thresholds alone.

    python -m bench.goals                  the dev rows and the sets of tests/data, with the included model: a minute
    python -m bench.goals --write          also puts the tables into docs/research/goals.md
    python -m bench.goals --data FOLDER    the labelled files (default: $KOBERT_DATA, ../shared/data)
    python -m bench.goals --model FOLDER   another bundle with these labels
    python -m bench.goals --smoke          the sets of tests/data alone, a few seconds

Every set has a goal: the largest share of a harmless one that may be flagged, or the smallest of a bad one that must be
found. The scores are those that the worker serves, with the cascade off. Then the thresholds of all labels but kinds
are moved together, over `GRID`: of those that meet a missed goal and lose none that was met among the bad sets, the
table has the ones that go least beyond any goal of a harmless set. So it says what the model cannot do, and not what
a choice of thresholds left out.
"""

import argparse
import itertools
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench.cascade.sides import Side
from bench.cascade.texts import data_folder
from bench.pages import replace_section
from training.data.sets import TextSet, dev_sets, unseen_sets
from training.data.sources import read_folder

LABELS = ("curse", "insult", "hate", "threat")
GRID = (0.02, 0.04, 0.065, 0.095, 0.14, 0.2, 0.27, 0.34, 0.42, 0.5, 0.52, 0.55, 0.6, 0.7)
STANDARD = 0.5
PAGE = "research/goals.md"

INTRODUCTION = """Every set has a goal at `standard`: the largest share of a harmless one that may be flagged, the
smallest of a bad one that must be found. Where two of them cannot be had together, the harmless side goes first. This
page says which are missed, and what it would cost to meet them by thresholds alone: of all thresholds of a grid that
meet the goal and lose no other goal of a bad set, those that go least beyond any goal of a harmless set. **Bold** is
what misses its goal."""

Flags = npt.NDArray[np.bool_]
Thresholds = tuple[float, ...]
Shares = dict[str, float]


@dataclass(frozen=True)
class Scored:
    """A set with a goal, and for each label and each threshold of the grid which of its texts reach it."""

    name: str
    bad: bool
    limit: float
    reached: Mapping[tuple[int, float], Flags]

    def share(self, thresholds: Thresholds) -> float:
        """The share of the texts that any label flags."""
        flagged = np.logical_or.reduce([self.reached[place] for place in enumerate(thresholds)])
        return float(flagged.mean())

    def misses(self, share: float) -> bool:
        """Whether this share is not what the goal asks for."""
        return share < self.limit if self.bad else share > self.limit


def scored(found: TextSet, side: Side) -> Scored:
    """The set as the worker's classifier scores it."""
    verdicts = side.run(found.name, found.texts)
    scores = np.array([[verdict.scores[label] for label in LABELS] for verdict in verdicts])
    reached = {(place, cut): scores[:, place] >= cut for place in range(len(LABELS)) for cut in GRID}
    return Scored(found.name, found.bad, found.limit or 0.0, reached)


def shares_of(sets: Sequence[Scored], thresholds: Thresholds) -> Shares:
    """The share of each set that is flagged."""
    return {found.name: found.share(thresholds) for found in sets}


def cheapest(sets: Sequence[Scored], wanted: Sequence[Scored]) -> Thresholds | None:
    """The thresholds that meet the goals of `wanted` and go least beyond any goal of a harmless set, if any do.

    Of those that cost the same, the ones nearest to the standard.
    """
    harmless = [found for found in sets if not found.bad]
    best, least = None, (math.inf,) * 3
    for thresholds in itertools.product(GRID, repeat=len(LABELS)):
        if any(found.misses(found.share(thresholds)) for found in wanted):
            continue
        beyond = [found.share(thresholds) / found.limit for found in harmless]
        cost = max(1.0, *beyond), sum(beyond), sum(abs(math.log(cut / (1 - cut))) for cut in thresholds)
        if cost < least:
            best, least = thresholds, cost
    return best


def report(sets: Sequence[Scored], said: str) -> str:
    """The page: every goal as it is, and with the thresholds that would meet each missed one, and all of them."""
    now = (STANDARD,) * len(LABELS)
    shares = shares_of(sets, now)
    missed = [found for found in sets if found.bad and found.misses(shares[found.name])]
    met = [found for found in sets if found.bad and not found.misses(shares[found.name])]
    columns = {"at `standard`": now}
    for name, wanted in {**{found.name: [found] for found in missed}, "all of them": missed}.items():
        if wanted and (thresholds := cheapest(sets, [*wanted, *met])) is not None:
            columns[f"to meet {name}"] = thresholds
    if len(missed) == 1:
        columns.pop("to meet all of them", None)
    rows = [f"| {label} counts from |  | {_row(t[at] for t in columns.values())} |" for at, label in enumerate(LABELS)]
    for found in sets:
        cells = [_cell(found, found.share(thresholds)) for thresholds in columns.values()]
        rows.append(f"| {found.name} | {'>=' if found.bad else '<='} {found.limit:.1%} | {_row(cells)} |")
    names = ", ".join(found.name for found in missed) or "none"
    head = f"| | goal | {_row(columns)} |\n|---|---|{'---|' * len(columns)}"
    return (
        f"# Goals that are missed\n\n{INTRODUCTION}\n\n{said}\n\nMissed: {names}.\n\n{head}\n" + "\n".join(rows) + "\n"
    )


def _cell(found: Scored, share: float) -> str:
    return f"**{share:.1%}**" if found.misses(share) else f"{share:.1%}"


def _row(cells: Iterable[object]) -> str:
    return " | ".join(map(str, cells))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="default")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    folder = data_folder(options.data)
    has_dev = folder.is_dir() and not options.smoke
    dev = [row for row in read_folder(folder) if row.split == "dev"] if has_dev else []
    side = Side(options.model, "off")
    try:
        sets = [scored(found, side) for found in (*dev_sets(dev), *unseen_sets()) if found.limit is not None]
        bundle = side.classifier.bundle
    finally:
        side.classifier.batcher.close()
    what = "the dev rows and the sets of `tests/data`" if has_dev else "the sets of `tests/data` alone"
    found = report(sets, f"`python -m bench.goals`, `{bundle.config.name}` {bundle.revision}, {what}.")
    sys.stdout.write(found)
    if options.write:
        replace_section(PAGE, found)


if __name__ == "__main__":
    main()
