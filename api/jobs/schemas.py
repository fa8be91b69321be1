"""The JSON of the job routes, as OpenAPI shows it. A test holds it to what `api.jobs.view` writes."""

from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from api.http.schemas import EXAMPLE_TEXT, PolicyVersionOut
from api.jobs.result_files import MEDIA_TYPES
from api.uploads.applicable import OPTIONS_OF_FILES
from api.uploads.options import (
    FORMATS,
    MAX_HEADER_ROW,
    MAX_METADATA_KEY_CHARS,
    MAX_METADATA_KEYS,
    MAX_METADATA_VALUE_CHARS,
)
from shared.jobs.records import Status
from shared.options import LEVELS, MAX_THRESHOLDS, Level
from shared.span_options import MASK_CHAR_PATTERN, Offsets

MAX_KEY_CHARS = 255
MAX_WAIT_S = 60
MAX_PAGE = 100
# More than a job can have; keeps what is asked for within the numbers that all clients can write.
MAX_ROWS = 2**53 - 1
# Rows that are searched from the end are held in memory.
MAX_LAST_ROWS = 1_000
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


class WebhookOut(BaseModel):
    """How the webhook of a job stands."""

    status: Annotated[
        Literal["waiting", "pending", "delivered", "failed"],
        Field(description="waiting for the job's end; failed: given up after WEBHOOK_ATTEMPTS"),
    ]
    attempts: int
    last_error: str | None
    next_attempt_at: Time


class JobOut(BaseModel):
    """A bulk job: OpenAI's Batch object, with extra fields for moderators."""

    id: str
    object: str
    status: Status
    request_counts: RequestCounts
    label_counts: Annotated[dict[str, int], Field(description="rows by their classification, so far")]
    corrected: Annotated[int | None, Field(description="rows answered by corrections; absent where none is")] = None
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
    header_row: Annotated[int | None, Field(description="line with the names of the columns; absent where none")] = None
    metadata: dict[str, str]
    strictness: Annotated[Level | None, Field(description="absent where the settings decide")] = None
    thresholds: Annotated[dict[str, float] | None, Field(description="absent where the settings decide")] = None
    policy: Annotated[PolicyVersionOut | None, Field(description="the version that the job began with")] = None
    details: Annotated[bool | None, Field(description="results have `details`; absent where they do not")] = None
    explain: Annotated[bool | None, Field(description="results have `spans`; absent where they do not")] = None
    mask: Annotated[bool | None, Field(description="results have `masked`; absent where they do not")] = None
    mask_char: str | None = None
    mask_keep_first: bool | None = None
    mask_labels: list[str] | None = None
    offsets: Offsets | None = None
    webhook: Annotated[WebhookOut | None, Field(description="absent where the job has no webhook_url")] = None
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


# What each option of an upload may be, in the query, in a form and, if it is not about a file, in a JSON body.
JOB_OPTIONS: dict[str, dict[str, Any]] = {
    "text_column": {"type": "string", "description": "the column or field with the text: a name, or a number from 1"},
    "id_column": {"type": "string", "description": "the column or field with your ids: a name, or a number from 1"},
    "format": {"type": "string", "enum": list(FORMATS)},
    "file_name": {"type": "string", "description": "tells the format, and what results are called"},
    "encoding": {"type": "string", "examples": ["utf-8", "cp949", "utf-16"], "description": "unset: it is found out"},
    "header": {"type": "boolean", "default": True, "description": "false: the first line of a table is a row"},
    "header_row": {
        "type": "integer",
        "minimum": 1,
        "maximum": MAX_HEADER_ROW,
        "description": "csv, tsv, xlsx: the line with the names of the columns, where others are above it",
    },
    "sheet": {"type": "string", "description": "of an xlsx file: a name, or a number from 1"},
    "webhook_url": {"type": "string", "description": "who is told of the end of the job"},
    "metadata": {
        "type": "object",
        "description": "strings, which the job object gives back",
        "maxProperties": MAX_METADATA_KEYS,
        "propertyNames": {"maxLength": MAX_METADATA_KEY_CHARS},
        "additionalProperties": {"type": "string", "maxLength": MAX_METADATA_VALUE_CHARS},
    },
    "strictness": {"type": "string", "enum": list(LEVELS)},
    "thresholds": {
        "type": "object",
        "description": "scores from which labels of the model count; in a query and a form also curse=0.4,insult=0.6",
        "maxProperties": MAX_THRESHOLDS,
        "additionalProperties": {"type": "number", "minimum": 0, "maximum": 1},
    },
    "policy": {"type": "string", "description": "the rules of a board, by name; results have `matches`"},
    "details": {"type": "boolean", "description": "results have `details`: what a verdict rests on"},
    "explain": {"type": "boolean", "description": "results have `spans`: the parts of a text that made labels count"},
    "mask": {"type": "boolean", "description": "results have `masked`: the text with its spans hidden"},
    "mask_char": {"type": "string", "pattern": MASK_CHAR_PATTERN, "description": "what a hidden character becomes"},
    "mask_keep_first": {"type": "boolean", "description": "leave the first letter of each hidden word"},
    "mask_labels": {
        "type": "string",
        "description": "hide the spans of these labels alone: curse,insult; in JSON also an array",
    },
    "offsets": {"type": "string", "enum": list(get_args(Offsets)), "description": "what spans count in"},
}


def _query_parameter(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """How OpenAPI describes an option in the query: an object is one JSON value."""
    described = (
        {"content": {"application/json": {"schema": schema}}} if schema["type"] == "object" else {"schema": schema}
    )
    return {"name": name, "in": "query", "required": False, **described}


JOB_REQUEST: dict[str, Any] = {
    "parameters": [
        *(_query_parameter(name, schema) for name, schema in JOB_OPTIONS.items()),
        {
            "name": "Idempotency-Key",
            "in": "header",
            "required": False,
            "description": "the same key gives the same job",
            "schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY_CHARS},
        },
    ],
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "additionalProperties": False,
                    "properties": {**JOB_OPTIONS, "file": {"type": "string", "format": "binary"}},
                }
            },
            "application/json": {
                "schema": {
                    "type": "object",
                    "oneOf": [{"required": ["texts"]}, {"required": ["items"]}],
                    "additionalProperties": False,
                    "properties": {
                        "texts": {"type": "array", "items": {"type": "string"}, "minItems": 1},
                        "items": {"type": "array", "items": {"type": "object"}, "minItems": 1},
                        **{name: option for name, option in JOB_OPTIONS.items() if name not in OPTIONS_OF_FILES},
                    },
                },
                "examples": {
                    "texts": {"summary": "문장 여러 개", "value": {"texts": [EXAMPLE_TEXT, "배송이 너무 늦어요."]}},
                    "items": {"summary": "id가 있는 문장", "value": {"items": [{"id": 1, "text": EXAMPLE_TEXT}]}},
                },
            },
            "text/csv": {"schema": {"type": "string"}},
            "application/jsonl": {"schema": {"type": "string"}},
            "text/plain": {"schema": {"type": "string"}},
        },
    },
}


class JobsQuery(BaseModel):
    """Which page of the jobs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = 20
    after: Annotated[str | None, Field(description="the last id of the page before")] = None


class JobQuery(BaseModel):
    """How long to wait for a job."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    wait: Annotated[float, Field(ge=0, le=MAX_WAIT_S, description="seconds to wait for the end")] = 0.0


class ResultsQuery(BaseModel):
    """What a client may ask of a result file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Annotated[
        Literal["jsonl", "csv", "tsv", "xlsx", "parquet"] | None,
        Field(description="unset: that of the file which was sent"),
    ] = None
    cursor: Annotated[int, Field(ge=0, le=MAX_ROWS, description="go on after this row")] = 0
    before: Annotated[int | None, Field(ge=1, le=MAX_ROWS, description="end before this row")] = None
    limit: Annotated[int | None, Field(ge=1, le=MAX_ROWS, description="end after so many rows")] = None
    last: Annotated[bool, Field(description=f"the last `limit` rows, {MAX_LAST_ROWS:,} at most, not the first")] = False
    only: Annotated[
        Literal["errors", "flagged"] | None, Field(description="rows without a verdict; or rows that are not clean")
    ] = None
    label: Annotated[str | None, Field(max_length=200, description="rows with this label")] = None
    contains: Annotated[str, Field(max_length=200, description="rows with this in their text, whatever its case")] = ""
    min_confidence: Annotated[float, Field(ge=0, le=1, description="rows that are at least so certain")] = 0.0
    max_confidence: Annotated[float, Field(ge=0, le=1, description="rows that are at most so certain")] = 1.0
    own_columns: Annotated[bool, Field(description="false: jsonl without your columns, the text as `text`")] = True
    partial: Annotated[bool, Field(description="what is done of a job that still runs")] = False
    safe: Annotated[bool, Field(description="defuse formulas in csv and tsv")] = False


class ErrorsQuery(ResultsQuery):
    """What a client may ask of the rows without a verdict."""

    only: Annotated[Literal["errors"], Field(description="nothing else can be asked for here")] = "errors"


FILE_REPLY: dict[str, Any] = {
    "description": "the rows, streamed",
    "content": {
        name: {} for name in ("application/jsonl", "text/csv", "text/tab-separated-values", *MEDIA_TYPES.values())
    },
}
EVENTS_REPLY: dict[str, Any] = {"description": "server-sent events", "content": {"text/event-stream": {}}}
