"""The JSON of the feed's routes, as OpenAPI shows it."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.feed.records import FeedEntry

MAX_PAGE = 100


class FeedQuery(BaseModel):
    """Which texts of the feed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    policy: Annotated[str | None, Field(max_length=64, description="judged by this policy")] = None
    list: Annotated[Literal["deny", "allow"] | None, Field(description="with `term`: of which list")] = None
    term: Annotated[str | None, Field(max_length=100, description="in which this entry of a policy fired")] = None
    label: Annotated[str | None, Field(max_length=200, description="with this label")] = None
    before: Annotated[int | None, Field(ge=1, le=2**53 - 1, description="the last number of the page before")] = None
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = 20


class FedPolicy(BaseModel):
    """The policy that judged a text."""

    name: str
    version: int


class FedMatch(BaseModel):
    """An entry that fired."""

    list: Literal["deny", "allow"]
    term: str


class FeedTextOut(BaseModel):
    """A text that came in, with its verdict."""

    number: int
    arrived_at: Annotated[int, Field(description="Unix seconds")]
    text: str
    classification: str
    confidence: float
    labels: list[str]
    policy: FedPolicy | None
    matches: list[FedMatch]


class FeedPage(BaseModel):
    """Texts of your key, the newest first."""

    object: Literal["list"]
    enabled: Annotated[bool, Field(description="REVIEW_FEED_TEXTS is more than 0")]
    max_texts: int
    ttl_s: int
    data: list[FeedTextOut]
    has_more: bool


class FeedCleared(BaseModel):
    """How many texts were forgotten."""

    object: str
    deleted: int


def show_entry(entry: FeedEntry) -> dict[str, Any]:
    """A text as JSON values."""
    fed = entry.fed
    return {
        "number": entry.number,
        "arrived_at": entry.arrived_at,
        "text": fed.text,
        "classification": fed.classification,
        "confidence": fed.confidence,
        "labels": fed.labels,
        "policy": fed.policy,
        "matches": [{"list": which, "term": term} for which, term in fed.matches],
    }
