"""Decisions as a file: jsonl, or csv that opens in Excel."""

import codecs
import csv
import io
from collections.abc import Iterable

import msgspec

from api.jobs.rendering import defused, quoting_for
from api.reviews.records import Decision, ReviewItem

_COLUMNS = (
    "row",
    "text",
    "classification",
    "confidence",
    "decision",
    "should_be",
    "reviewer",
    "decided_at",
    "arrived_at",
)
Decided = tuple[ReviewItem, Decision]


def as_json_lines(decided: Iterable[Decided]) -> bytes:
    """One object a decision."""
    return b"".join(msgspec.json.encode(dict(zip(_COLUMNS, _cells(*one), strict=True))) + b"\n" for one in decided)


def as_table(decided: Iterable[Decided], *, is_safe: bool) -> bytes:
    """One line a decision, below a header; `is_safe` defuses formulas."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=quoting_for(is_safe=is_safe))
    writer.writerow(_COLUMNS)
    for one in decided:
        cells = _cells(*one)
        writer.writerow([defused(cell) if is_safe and isinstance(cell, str) else cell for cell in cells])
    return codecs.BOM_UTF8 + text.getvalue().encode()


def _cells(item: ReviewItem, decision: Decision) -> list[str | int | float | None]:
    return [
        item.row,
        item.text,
        item.classification,
        item.confidence,
        decision.decision,
        decision.classification,
        decision.reviewer,
        decision.decided_at,
        item.arrived_at,
    ]
