"""Picks the rows of a job that want a human: the most uncertain ones, or the first ones."""

import heapq
import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate

from api.jobs.results import CLEAN, Selection
from api.jobs.service import JobService
from api.reviews.records import Order, ReviewItem
from shared.errors import StoreUnavailableError
from shared.jobs.packing import unpack_result
from shared.jobs.records import Job, Row
from shared.verdict import Outcome, Verdict

Judged = tuple[int, Row, Verdict]
# With its rank and its number, by which rows are put in order.
Ranked = tuple[float, int, Judged]


@dataclass(frozen=True)
class Room:
    """How many rows a queue may have, and how many characters of text together."""

    items: int
    chars: int


async def pick_items(
    jobs: JobService, job: Job, selection: Selection, order: Order, room: Room
) -> tuple[list[ReviewItem], int]:
    """The items of a queue in their order, and how many more rows had matched.

    Reads the results once, one chunk in memory at a time.

    Raises:
        StoreUnavailableError: the job was deleted meanwhile.
    """
    picked = _Picked(selection, order, room)
    for first_row in await jobs.result_starts(job.id):
        packed = await jobs.result_chunk(job.id, first_row)
        if packed is None:
            raise StoreUnavailableError("the job was deleted or has expired")
        await jobs.run(picked.add, first_row, packed)
    items = picked.items()
    return items, picked.matched - len(items)


class _Picked:
    """The best of the rows that were added so far: never more of them, and of their characters, than there is room."""

    def __init__(self, selection: Selection, order: Order, room: Room) -> None:
        self._selection = selection
        self._order = order
        self._room = room
        self._best: list[Ranked] = []
        self.matched = 0

    def add(self, first_row: int, packed: bytes) -> None:
        """Take the rows of one chunk."""
        found = _matching(first_row, packed, self._selection)
        self.matched += len(found)
        ranked = [
            (doubt_of(verdict) if self._order == "uncertain" else 0.0, number, (number, row, verdict))
            for number, row, verdict in found
        ]
        if ranked:
            best = heapq.nsmallest(self._room.items, [*self._best, *ranked], key=lambda one: one[:2])
            self._best = _fitting(best, self._room.chars)

    def items(self) -> list[ReviewItem]:
        """The items of the queue, in their order."""
        return [
            ReviewItem(
                item=item,
                row=number,
                text=row.text or "",
                classification=verdict.classification,
                confidence=verdict.confidence,
                labels=verdict.labels,
                scores=verdict.scores,
            )
            for item, (_, _, (number, row, verdict)) in enumerate(self._best, start=1)
        ]


def _matching(first_row: int, packed: bytes, selection: Selection) -> list[Judged]:
    rows, verdicts = unpack_result(packed)
    numbered: Iterable[tuple[int, tuple[Row, Outcome]]] = enumerate(
        zip(rows, verdicts.outcomes, strict=True), start=first_row + 1
    )
    return [
        (number, row, outcome)
        for number, (row, outcome) in numbered
        if isinstance(outcome, Verdict) and row.text is not None and selection.takes(row, outcome)
    ]


def _fitting(ranked: list[Ranked], max_chars: int) -> list[Ranked]:
    """Those that come before the one that is too much."""
    chars = accumulate(len(row.text or "") for _, _, (_, row, _) in ranked)
    return [one for one, total in zip(ranked, chars, strict=True) if total <= max_chars]


def doubt_of(verdict: Verdict) -> float:
    """Smaller for a less certain verdict: how far the score that comes closest to one half lies from it."""
    return min((abs(score - 0.5) for label, score in verdict.scores.items() if label != CLEAN), default=math.inf)
