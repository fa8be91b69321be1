"""The JSON of the policy routes, as OpenAPI shows it and as it is written. A test holds the two together."""

from typing import Annotated, Any, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from api.http.schemas import ErrorOut
from shared.options import LEVELS, MAX_THRESHOLDS, Level
from shared.policies.parsing import MAX_LABEL_CHARS, MAX_LABELS, MAX_TERM_CHARS
from shared.policies.records import Policy, PolicyHead
from shared.span_options import MASK_CHAR_PATTERN

EXAMPLE_RULES: dict[str, Any] = {
    "strictness": "standard",
    "thresholds": {"curse": 0.6},
    "labels": ["curse", "hate"],
    "deny": ["멍청이", {"term": "섹스", "label": "sexual", "match": "part"}],
    "allow": ["게이머", "시발점"],
    "mask": {"labels": ["curse", "denied"], "char": "*", "keep_first": False},
}


class DeniedOut(BaseModel):
    """A denied term."""

    term: str
    label: Annotated[str, Field(description="counts where the term is found")]
    match: Literal["word", "part"]


class AllowedOut(BaseModel):
    """An allowed term."""

    term: str
    match: Literal["word", "part"]


class MaskOut(BaseModel):
    """How masked copies are made where a request says nothing."""

    labels: Annotated[list[str] | None, Field(description="null: every label that counts")]
    char: str
    keep_first: bool


class Counts(BaseModel):
    """How long the lists are."""

    deny: int
    allow: int


class PolicyHeadOut(BaseModel):
    """A policy without its lists."""

    object: Literal["policy"]
    name: str
    version: Annotated[int, Field(description="grows with every change of any policy; also the ETag")]
    created_at: Annotated[int, Field(description="Unix seconds")]
    updated_at: Annotated[int, Field(description="Unix seconds")]
    updated_by: Annotated[str, Field(description="the id of the key, everybody, or POLICIES_FILE")]
    read_only: Annotated[bool, Field(description="it is in POLICIES_FILE")]
    counts: Counts
    strictness: Annotated[Level | None, Field(description="null: the settings decide")]
    thresholds: dict[str, float]
    labels: Annotated[list[str] | None, Field(description="those that may count; null: all")]
    mask: MaskOut | None


class PolicyOut(PolicyHeadOut):
    """A policy."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE_RULES]})

    deny: list[DeniedOut]
    allow: list[AllowedOut]


class VersionQuery(BaseModel):
    """How to show a version of a policy."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["json", "toml"] = "json"


class PolicyPage(BaseModel):
    """All policies, by name."""

    object: Literal["list"]
    data: list[PolicyHeadOut]


class PolicyVersions(BaseModel):
    """The versions of a policy that can be restored, newest first."""

    object: Literal["list"]
    current: Annotated[int | None, Field(description="the version in force; null: the policy was deleted")]
    data: list[PolicyHeadOut]


class TriedVerdict(BaseModel):
    """What a text is called by one set of rules."""

    classification: str
    confidence: float
    labels: list[str]


class TriedText(BaseModel):
    """A text by the policy as it is and by the rules that are tried; `error` where it cannot be judged."""

    was: TriedVerdict | None = None
    now: TriedVerdict | None = None
    error: ErrorOut | None = None


class PolicyTrial(BaseModel):
    """Results in the order of the texts."""

    object: Literal["list"]
    data: list[TriedText]


class EntryHits(BaseModel):
    """How often one entry fired."""

    list: Literal["deny", "allow"]
    term: str
    hits: Annotated[int, Field(description="texts in which it fired")]


class PolicyHits(BaseModel):
    """Every entry of a policy, the most frequent first."""

    object: Literal["list"]
    data: list[EntryHits]


class PolicyDeleted(BaseModel):
    """What is left of a deleted policy."""

    name: str
    object: Literal["policy"]
    deleted: bool


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    """null leaves a field out: a policy as it is shown can be sent back as it is."""
    return {"anyOf": [schema, {"type": "null"}]}


def _entry(**more: Any) -> dict[str, Any]:  # noqa: ANN401  JSON
    term = {"type": "string", "minLength": 1, "maxLength": MAX_TERM_CHARS}
    properties = {"term": term, "match": _or_null({"type": "string", "enum": ["word", "part"]}), **more}
    whole = {"type": "object", "required": ["term"], "additionalProperties": False, "properties": properties}
    return {"anyOf": [term, whole]}


_LABEL: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": MAX_LABEL_CHARS}
_LABELS = {"type": "array", "items": _LABEL, "maxItems": MAX_LABELS}
_RULES: dict[str, Any] = {
    "type": "object",
    "properties": {
        "strictness": _or_null({"type": "string", "enum": list(LEVELS)}),
        "thresholds": _or_null(
            {
                "type": "object",
                "maxProperties": MAX_THRESHOLDS,
                "additionalProperties": {"type": "number", "minimum": 0, "maximum": 1},
            }
        ),
        "labels": _or_null(_LABELS),
        "deny": _or_null({"type": "array", "items": _entry(label=_or_null(_LABEL))}),
        "allow": _or_null({"type": "array", "items": _entry()}),
        "mask": _or_null(
            {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "labels": _or_null(_LABELS),
                    "char": {"type": "string", "pattern": MASK_CHAR_PATTERN},
                    "keep_first": {"type": "boolean"},
                },
            }
        ),
    },
}
POLICY_REQUEST: dict[str, Any] = {
    "parameters": [
        {
            "name": name,
            "in": "header",
            "required": False,
            "description": description,
            "schema": {"type": "string"},
        }
        for name, description in (
            ("If-Match", "the ETag of the version to replace"),
            ("If-None-Match", "*: only where there is none yet"),
        )
    ],
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": _RULES,
                "examples": {"board": {"summary": "게시판 규칙", "value": EXAMPLE_RULES}},
            }
        },
    },
}


TRIAL_REQUEST: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["rules", "texts"],
                    "additionalProperties": False,
                    "properties": {
                        "rules": _RULES,
                        "texts": {"type": "array", "minItems": 1, "items": {"type": "string"}},
                    },
                },
                "examples": {
                    "board": {"summary": "게시판 규칙", "value": {"rules": EXAMPLE_RULES, "texts": ["멍청이들아 안녕"]}}
                },
            }
        },
    },
}


def show_head(name: str, head: PolicyHead) -> dict[str, Any]:
    """A policy without its lists, as JSON values."""
    mask = head.mask
    return {
        "object": "policy",
        "name": name,
        "version": head.version,
        "created_at": head.created_at,
        "updated_at": head.updated_at,
        "updated_by": head.updated_by,
        "read_only": head.source == "file",
        "counts": {"deny": head.deny, "allow": head.allow},
        "strictness": head.strictness,
        "thresholds": head.thresholds,
        "labels": head.labels,
        "mask": None if mask is None else msgspec.structs.asdict(mask),
    }


class _ShownDenied(msgspec.Struct, gc=False):
    """A denied term with all its fields: a quarter of what a dict takes."""

    term: str
    label: str
    match: str


class _ShownAllowed(msgspec.Struct, gc=False):
    """As `_ShownDenied`."""

    term: str
    match: str


def show_policy(name: str, head: PolicyHead, policy: Policy) -> dict[str, Any]:
    """A policy with its lists, as `msgspec.json` writes it."""
    return {
        **show_head(name, head),
        "deny": [_ShownDenied(entry.term, entry.label, entry.match) for entry in policy.deny],
        "allow": [_ShownAllowed(entry.term, entry.match) for entry in policy.allow],
    }
