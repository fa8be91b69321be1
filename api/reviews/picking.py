"""Picks the rows of a job that want a human: the most uncertain ones, or the first ones."""

import heapq
import math
from collections.abc import Iterable
from dataclasses import dataclass

from api.jobs.results import CLEAN, Selection
from api.jobs.service import JobService
from api.reviews.records import Order, ReviewItem
from shared.errors import StoreUnavailableError
from shared.jobs.packing import unpack_result
from shared.jobs.records import Job, Row
from shared.verdict import Outcome, Verdict

Judged = tuple[int, Row, Verdict]


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
    best: list[tuple[float, int, Judged]] = []
    matched = 0
    for first_row in await jobs.result_starts(job.id):
        packed = await jobs.result_chunk(job.id, first_row)
        if packed is None:
            raise StoreUnavailableError("the job was deleted or has expired")
        found = await jobs.run(_matching, first_row, packed, selection)
        matched += len(found)
        ranked = (
            (doubt_of(verdict) if order == "uncertain" else 0.0, number, (number, row, verdict))
            for number, row, verdict in found
        )
        best = heapq.nsmallest(room.items, [*best, *ranked], key=lambda one: one[:2])
    items = _fitting(best, room.chars)
    return items, matched - len(items)


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


def doubt_of(verdict: Verdict) -> float:
    """Smaller for a less certain verdict: how far the score that comes closest to one half lies from it."""
    return min((abs(score - 0.5) for label, score in verdict.scores.items() if label != CLEAN), default=math.inf)


def _fitting(ranked: list[tuple[float, int, Judged]], max_chars: int) -> list[ReviewItem]:
    items: list[ReviewItem] = []
    chars = 0
    for _, _, (number, row, verdict) in ranked:
        text = row.text or ""
        chars += len(text)
        if chars > max_chars:
            break
        items.append(
            ReviewItem(
                item=len(items) + 1,
                row=number,
                text=text,
                classification=verdict.classification,
                confidence=verdict.confidence,
                labels=verdict.labels,
                scores=verdict.scores,
            )
        )
    return items
