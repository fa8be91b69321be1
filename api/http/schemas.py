"""The JSON of requests and replies, as OpenAPI shows it. Field order is the order on the wire.

Nothing is read or written with these classes; tests hold them to what is (`shared.verdict`, `api.http.errors`).
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from shared.options import Level
from shared.span_options import MASK_CHAR_PATTERN, Offsets

# Where OpenAPI keeps the schema of a model.
SCHEMA_REF = "#/components/schemas/{model}"
EXAMPLE_TEXT = "이 영화 정말 재미있었어요!"
EXAMPLE_PREDICTION: dict[str, JsonValue] = {
    "text": EXAMPLE_TEXT,
    "classification": "clean",
    "confidence": 0.98,
    "scores": {"clean": 0.98, "insult": 0.02, "hate": 0.01, "curse": 0.01},
    "labels": ["clean"],
    "windows": 1,
}
EXAMPLE_ERROR: dict[str, JsonValue] = {
    "code": "empty_text",
    "message": "text is empty or blank; there is nothing to classify",
    "type": "invalid_request_error",
    "param": "text",
    "request_id": "3f1c9a0be5f44a51a2b1f0f6f8f7c0de",
}

Strictness = Annotated[
    Level | None, Field(description="which of the model's sets of thresholds decides; STRICTNESS where you say nothing")
]
Thresholds = Annotated[
    dict[str, Annotated[float, Field(ge=0, le=1)]] | None,
    Field(description="scores from which single labels count, over those of the level"),
]
PolicyName = Annotated[str | None, Field(description="the rules of a board, by name: `/policies`")]
WithDetails = Annotated[bool | None, Field(description="answer with `details`: what the verdict rests on")]

Explain = Annotated[bool | None, Field(description="answer with `spans`: the parts of the text that made labels count")]
Mask = Annotated[bool | None, Field(description="answer with `masked`: the text with the spans hidden")]
MaskChar = Annotated[
    str | None, Field(pattern=MASK_CHAR_PATTERN, description="with `mask`: what a hidden character becomes; `*`")
]
MaskKeepFirst = Annotated[bool | None, Field(description="with `mask`: leave the first letter of each hidden word")]
MaskLabels = Annotated[
    Annotated[list[str], Field(min_length=1)] | str | None,
    Field(description="with `mask`: hide the spans of these labels alone, else of all"),
]
SpanOffsets = Annotated[Offsets | None, Field(description="what `start` and `end` of spans count; code points")]


class OneText(BaseModel):
    """One text to classify."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"text": EXAMPLE_TEXT}]})

    text: str
    strictness: Strictness = None
    thresholds: Thresholds = None
    policy: PolicyName = None
    details: WithDetails = None
    explain: Explain = None
    mask: Mask = None
    mask_char: MaskChar = None
    mask_keep_first: MaskKeepFirst = None
    mask_labels: MaskLabels = None
    offsets: SpanOffsets = None


class ManyTexts(BaseModel):
    """Several texts; one bad item never fails the others."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"texts": [EXAMPLE_TEXT, "배송이 너무 늦어요."]}]}
    )

    texts: Annotated[list[str], Field(min_length=1)]
    strictness: Strictness = None
    thresholds: Thresholds = None
    policy: PolicyName = None
    details: WithDetails = None
    explain: Explain = None
    mask: Mask = None
    mask_char: MaskChar = None
    mask_keep_first: MaskKeepFirst = None
    mask_labels: MaskLabels = None
    offsets: SpanOffsets = None


class SpanOut(BaseModel):
    """A part of the text that made a label count."""

    label: str
    start: Annotated[int, Field(description="offset of its first character in the text as sent")]
    end: Annotated[int, Field(description="offset after its last character")]
    text: Annotated[str, Field(description="the slice of the text as sent")]
    share: Annotated[float, Field(description="how much of the label's score comes from it, 0 to 1")]


class MatchOut(BaseModel):
    """An entry of the policy that fired."""

    list: Literal["deny", "allow"]
    term: Annotated[str, Field(description="as it stands in the policy")]
    label: Annotated[str | None, Field(description="what it made count; null: it is allowed")]
    start: int
    end: int
    text: Annotated[str, Field(description="the slice of the text as sent")]


class PolicyVersionOut(BaseModel):
    """The policy that judged."""

    name: str
    version: int


class DetailsOut(BaseModel):
    """What a verdict rests on."""

    model: str
    revision: str
    policy: PolicyVersionOut | None
    strictness: Level
    thresholds: Annotated[dict[str, float], Field(description="the scores from which each label counted")]


class PredictionOut(BaseModel):
    """The answer for one text. The first two fields are those of the service that this one replaces."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE_PREDICTION]})

    text: Annotated[str, Field(description="the text as it was sent, byte for byte")]
    classification: Annotated[str, Field(description="the one word to act on")]
    confidence: Annotated[float, Field(description="the score of that word, 0 to 1")]
    scores: Annotated[dict[str, float], Field(description="every label's score, highest first")]
    labels: Annotated[list[str], Field(description="every label that passes its threshold, highest score first")]
    windows: Annotated[int, Field(description="pieces that the text was read in; above 1 for a long text")]
    spans: Annotated[list[SpanOut] | None, Field(description="with `explain`: what made the labels count")] = None
    masked: Annotated[str | None, Field(description="with `mask`: the text with its spans hidden")] = None
    matches: Annotated[list[MatchOut] | None, Field(description="with `policy`: its entries that fired")] = None
    policy: Annotated[PolicyVersionOut | None, Field(description="with `policy`: the version that judged")] = None
    details: Annotated[DetailsOut | None, Field(description="with `details`: what the verdict rests on")] = None
    corrected: Annotated[bool | None, Field(description="there, and true, where a correction is the answer")] = None


class ErrorOut(BaseModel):
    """What went wrong, with whom, and what to do."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE_ERROR]})

    code: Annotated[str, Field(description="for programs")]
    message: Annotated[str, Field(description="for people")]
    type: Annotated[str, Field(description="invalid_request_error, rate_limit_error or server_error")]
    param: Annotated[str | None, Field(description="the field or item at fault")]
    request_id: Annotated[str | None, Field(description="the id in the X-Request-ID header")] = None


class ErrorReply(BaseModel):
    """The one shape of every error."""

    error: ErrorOut


class FailedOut(BaseModel):
    """An item that could not be classified, in its place among the results."""

    text: Annotated[
        Any,
        Field(description="the item as it was sent; null if it is no valid Unicode, too deep or too large"),
    ]
    error: ErrorOut


class ManyPredictions(BaseModel):
    """Results in the order of the texts."""

    results: list[PredictionOut | FailedOut]


class Greeting(BaseModel):
    """What the root says."""

    message: str


def error_replies(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI entries for the error statuses of a route.

    By reference (`api.http.openapi` adds what it names): for a model FastAPI would build a validator for each status
    of each route, 230 in all and a tenth of the time to start.
    """
    # Who needs a key may have sent wrong ones, or have used up what the key allows.
    limited = (429,) if 401 in statuses else ()
    content = {"application/json": {"schema": {"$ref": SCHEMA_REF.format(model=ErrorReply.__name__)}}}
    return {status: {"content": content} for status in sorted({*statuses, *limited})}
