"""The JSON of the review routes, as OpenAPI shows it."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.reviews.records import Order, Verb

MAX_REVIEWER_CHARS = 60
MAX_LEASED = 50
MAX_DECISIONS = 100
Reviewer = Annotated[
    str,
    Field(min_length=1, max_length=MAX_REVIEWER_CHARS, pattern=r"\S", description="who reviews; a name of your choice"),
]


class NewReview(BaseModel):
    """Which rows of which job, or which texts of the live feed; the filters are those of a job's results."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    job_id: str | None = None
    feed: Annotated[bool, Field(description="the live feed in place of a job")] = False
    order: Annotated[Order, Field(description="uncertain: those nearest to a threshold first; file: as they came")] = (
        "uncertain"
    )
    only: Annotated[Literal["flagged"] | None, Field(description="rows that are not clean")] = None
    label: Annotated[str | None, Field(max_length=200, description="rows with this label")] = None
    contains: Annotated[str, Field(max_length=200)] = ""
    min_confidence: Annotated[float, Field(ge=0, le=1)] = 0.0
    max_confidence: Annotated[float, Field(ge=0, le=1)] = 1.0


class ReviewOut(BaseModel):
    """A queue, and how far it is."""

    id: str
    object: Literal["review"]
    source: Annotated[Literal["job", "feed"], Field(description="feed: texts go on coming in")]
    job_id: str | None
    file_name: str | None
    order: Order
    policy: str | None
    total: int
    left_out: Annotated[int, Field(description="rows that matched too, and had no room (MAX_REVIEW_ITEMS)")]
    created_at: int
    expires_at: int
    open: int
    held: Annotated[int, Field(description="handed out and not decided yet")]
    approved: int
    rejected: int
    decided_today: Annotated[int, Field(description="since midnight, UTC")]
    reviewers: Annotated[
        dict[str, int], Field(description="decisions by reviewer; beyond a hundred names together, as (others)")
    ]


class ReviewList(BaseModel):
    """All queues, newest first."""

    object: Literal["list"]
    data: list[ReviewOut]


class ItemOut(BaseModel):
    """A row to decide."""

    item: int
    row: Annotated[int | None, Field(description="null: a text of the live feed")]
    text: str
    classification: str
    confidence: float
    labels: list[str]
    scores: dict[str, float]
    policy: Annotated[str | None, Field(description="the policy that judged a text of the live feed")]
    arrived_at: Annotated[int | None, Field(description="when a text of the live feed came, Unix seconds")]


class ItemList(BaseModel):
    """Rows that one reviewer holds."""

    object: Literal["list"]
    data: list[ItemOut]


class LeaseRequest(BaseModel):
    """How many items for whom."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reviewer: Reviewer
    count: Annotated[int, Field(ge=1, le=MAX_LEASED)] = 10


class OneDecision(BaseModel):
    """`approve`: the text may stay; `reject`: it may not, and `classification` says what it is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    item: Annotated[int, Field(ge=1, le=2**53 - 1)]
    decision: Verb
    classification: str | None = None


class DecisionsRequest(BaseModel):
    """Decisions of one reviewer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reviewer: Reviewer
    decisions: Annotated[list[OneDecision], Field(min_length=1, max_length=MAX_DECISIONS)]


class UndoRequest(BaseModel):
    """Which decision to take back."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reviewer: Reviewer
    item: Annotated[int, Field(ge=1, le=2**53 - 1)]


class ReviewDeleted(BaseModel):
    """What is left of a deleted queue."""

    id: str
    object: str
    deleted: bool


class DecisionsQuery(BaseModel):
    """How to show what was decided."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["jsonl", "csv"] = "jsonl"
    safe: Annotated[bool, Field(description="defuse formulas in csv")] = False


DECISIONS_REPLY: dict[str, Any] = {
    "description": "every decision with its row",
    "content": {"application/jsonl": {}, "text/csv": {}},
}
