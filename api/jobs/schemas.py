"""The JSON of the job routes, as OpenAPI shows it. A test holds it to what `api.jobs.view` writes."""

from typing import Annotated, Any

from pydantic import BaseModel, Field, JsonValue

from shared.jobs.records import Status
from shared.options import Level

Time = Annotated[int | None, Field(description="Unix seconds, or null while it has not happened")]


class RequestCounts(BaseModel):
    """Rows of a job."""

    total: int
    completed: int
    failed: Annotated[int, Field(description="rows without a verdict: bad lines, and texts that the model failed on")]


class JobErrors(BaseModel):
    """The first error rows; `GET /jobs/{id}/errors` has them all."""

    object: str
    data: list[dict[str, JsonValue]]


class JobOut(BaseModel):
    """A bulk job: OpenAI's Batch object, with extra fields for moderators."""

    id: str
    object: str
    status: Status
    request_counts: RequestCounts
    label_counts: Annotated[dict[str, int], Field(description="rows by their classification, so far")]
    rows_per_s: Annotated[float | None, Field(description="lately; of the whole job at its end")]
    eta_seconds: Annotated[int | None, Field(description="what is left at that speed; null when nobody can tell")]
    created_at: Time
    in_progress_at: Time
    finalizing_at: Time
    completed_at: Time
    failed_at: Time
    expired_at: Time
    cancelling_at: Time
    cancelled_at: Time
    expires_at: Time
    errors: JobErrors | None
    results_partial: Annotated[bool, Field(description="whether results would lack rows now")]
    format: str
    encoding: str | None
    file_name: str | None
    text_column: str | None
    metadata: dict[str, str]
    strictness: Annotated[Level | None, Field(description="absent where the settings decide")] = None
    thresholds: Annotated[dict[str, float] | None, Field(description="absent where the settings decide")] = None
    links: dict[str, str]


class JobPage(BaseModel):
    """Jobs, newest first, in OpenAI's form."""

    object: str
    data: list[JobOut]
    first_id: str | None
    last_id: str | None
    has_more: bool


class JobDeleted(BaseModel):
    """What is left of a deleted job."""

    id: str
    object: str
    deleted: bool


FILE_REPLY: dict[str, Any] = {
    "description": "the rows, streamed",
    "content": {name: {} for name in ("application/jsonl", "text/csv", "text/tab-separated-values")},
}
EVENTS_REPLY: dict[str, Any] = {"description": "server-sent events", "content": {"text/event-stream": {}}}
