"""The JSON of the correction routes, as OpenAPI shows it."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.http.schemas import ErrorOut
from shared.policies.records import MAX_NAME_CHARS

MAX_NOTE_CHARS = 1_000
MAX_PAGE = 100
EXAMPLE: dict[str, Any] = {"text": "게이머들 모여라", "classification": "clean", "note": "게이가 아니라 게이머"}


class OneCorrection(BaseModel):
    """What a text should have been answered with."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    text: str
    classification: Annotated[str, Field(description="a label of the served model, or what it calls clean")]
    policy: Annotated[
        str | None, Field(max_length=MAX_NAME_CHARS, description="only under this policy; null: everywhere")
    ] = None
    note: Annotated[str, Field(max_length=MAX_NOTE_CHARS, description="why, for those who read the list")] = ""


class CorrectionOut(BaseModel):
    """A stored correction."""

    id: str
    object: Literal["correction"]
    text: str
    classification: str
    policy: str | None
    note: str
    created_at: Annotated[int, Field(description="Unix seconds; of its last change")]
    created_by: Annotated[str, Field(description="the id of the key that sent it, which gives no access")]


class RefusedCorrection(BaseModel):
    """One of several that was not stored, in its place among the results."""

    error: ErrorOut


class ManyResults(BaseModel):
    """Results in the order of the corrections."""

    results: list[CorrectionOut | RefusedCorrection]


class CorrectionPage(BaseModel):
    """Corrections, the last changed first, in OpenAI's form."""

    object: str
    data: list[CorrectionOut]
    first_id: str | None
    last_id: str | None
    has_more: bool


class CorrectionDeleted(BaseModel):
    """What is left of a withdrawn correction."""

    id: str
    object: str
    deleted: bool


class CorrectionsQuery(BaseModel):
    """A page of the list; or all of it as a file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = 20
    after: Annotated[str | None, Field(description="the last id of the page before")] = None
    format: Annotated[
        Literal["jsonl", "csv"] | None, Field(description="all of them as a file, the last changed last")
    ] = None
    safe: Annotated[bool, Field(description="defuse formulas in csv")] = False


_ONE = OneCorrection.model_json_schema()
_MANY = {
    "title": "ManyCorrections",
    "description": "Several; one that is refused never stops the others.",
    "type": "object",
    "required": ["corrections"],
    "additionalProperties": False,
    "properties": {"corrections": {"type": "array", "minItems": 1, "items": _ONE}},
}
REQUEST_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {"anyOf": [_ONE, _MANY]},
            "examples": {
                "one": {"summary": "하나", "value": EXAMPLE},
                "many": {"summary": "여러 개", "value": {"corrections": [EXAMPLE]}},
            },
        }
    },
}
LIST_REPLY: dict[str, Any] = {
    "description": "a page, or all of them as a file",
    "content": {"application/jsonl": {}, "text/csv": {}},
}
