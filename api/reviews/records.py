"""The records of a review queue: its head, its items, and what was decided of each."""

import re
import secrets
from typing import Literal

import msgspec

from api.jobs.results import Selection

Verb = Literal["approve", "reject"]
Order = Literal["uncertain", "file"]
_REVIEW_ID = re.compile(r"review_[0-9a-f]{24}")


class ReviewHead(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a queue. `left_out` more rows matched and had no room; times are Unix seconds.

    `feed` is which texts of the live feed it takes. Such a queue has no job, and goes on growing: `total`, `left_out`
    and `expires_at` are those of now.
    """

    id: str
    job_id: str | None
    file_name: str | None
    order: Order
    policy: str | None
    total: int
    left_out: int
    created_at: int
    expires_at: int
    feed: Selection | None = None


class ReviewItem(msgspec.Struct, frozen=True, kw_only=True):
    """One row that wants a human: `item` is its number in the queue, `row` its number in the job, from 1.

    A text of the live feed has no row, but the policy that judged it and when it came, in Unix seconds.
    """

    item: int
    row: int | None
    text: str
    classification: str
    confidence: float
    labels: list[str]
    scores: dict[str, float]
    policy: str | None = None
    arrived_at: int | None = None


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What a moderator decided. `classification` is what the text should have been called, where that was said.

    `correction_id` is the correction that the decision became, because it contradicts the verdict.
    """

    decision: Verb
    reviewer: str
    decided_at: int
    classification: str | None = None
    correction_id: str | None = None


def new_review_id() -> str:
    """An id that nobody can guess."""
    return f"review_{secrets.token_hex(12)}"


def is_review_id(text: str) -> bool:
    """Whether the service may have given this id."""
    return _REVIEW_ID.fullmatch(text) is not None
