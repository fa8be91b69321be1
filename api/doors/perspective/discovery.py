"""The API as Google's discovery format describes it, from which its client libraries build themselves.

The format: https://developers.google.com/discovery/v1/reference/apis.
"""

from typing import Any

_TEXT = {"type": "string"}
_FLAG = {"type": "boolean"}
_TEXTS = {"type": "array", "items": _TEXT}


def _reference(name: str) -> dict[str, str]:
    return {"$ref": name}


def _list_of(name: str) -> dict[str, Any]:
    return {"type": "array", "items": _reference(name)}


def _map_of(name: str) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": _reference(name)}


def _schema(name: str, **properties: object) -> dict[str, Any]:
    return {"id": name, "type": "object", "properties": properties}


_COMMON = {"clientToken": _TEXT, "languages": _TEXTS}
_ASKED = {
    **_COMMON,
    "comment": _reference("TextEntry"),
    "communityId": _TEXT,
    "context": _reference("Context"),
    "sessionId": _TEXT,
}
_SCHEMAS = [
    _schema("TextEntry", text=_TEXT, type=_TEXT),
    _schema(
        "Context",
        entries=_list_of("TextEntry"),
        articleAndParentComment=_reference("ArticleAndParentComment"),
    ),
    _schema("ArticleAndParentComment", article=_reference("TextEntry"), parentComment=_reference("TextEntry")),
    _schema("AttributeParameters", scoreType=_TEXT, scoreThreshold={"type": "number", "format": "float"}),
    _schema("Score", value={"type": "number", "format": "float"}, type=_TEXT),
    _schema(
        "SpanScore",
        begin={"type": "integer", "format": "int32"},
        end={"type": "integer", "format": "int32"},
        score=_reference("Score"),
    ),
    _schema("AttributeScores", summaryScore=_reference("Score"), spanScores=_list_of("SpanScore")),
    _schema(
        "AnalyzeCommentRequest",
        **_ASKED,
        requestedAttributes=_map_of("AttributeParameters"),
        spanAnnotations=_FLAG,
        doNotStore=_FLAG,
        dropUnsupportedAttributes=_FLAG,
    ),
    _schema("AnalyzeCommentResponse", **_COMMON, attributeScores=_map_of("AttributeScores"), detectedLanguages=_TEXTS),
    _schema("SuggestCommentScoreRequest", **_ASKED, attributeScores=_map_of("AttributeScores")),
    _schema("SuggestCommentScoreResponse", clientToken=_TEXT),
]


def describe(root_url: str) -> dict[str, Any]:
    """The discovery document of this service at `root_url`, which ends with a slash."""
    return {
        "kind": "discovery#restDescription",
        "discoveryVersion": "v1",
        "id": "commentanalyzer:v1alpha1",
        "name": "commentanalyzer",
        "canonicalName": "Comment Analyzer",
        "version": "v1alpha1",
        "title": "Comment Analyzer API of kobert-classifier",
        "description": "Scores Korean comments in the words of Perspective API.",
        "protocol": "rest",
        "rootUrl": root_url,
        "baseUrl": root_url,
        "servicePath": "",
        "basePath": "",
        "batchPath": "batch",
        "parameters": {
            "key": {"type": "string", "location": "query", "description": "A key of this service."},
            "alt": {"type": "string", "location": "query", "default": "json", "enum": ["json"]},
            "prettyPrint": {"type": "boolean", "location": "query", "default": "true"},
            "fields": {"type": "string", "location": "query"},
            "quotaUser": {"type": "string", "location": "query"},
            "$.xgafv": {"type": "string", "location": "query", "enum": ["1", "2"]},
        },
        "schemas": {schema["id"]: schema for schema in _SCHEMAS},
        "resources": {
            "comments": {
                "methods": {
                    "analyze": _method("analyze", "AnalyzeComment", "Scores a comment."),
                    "suggestscore": _method("suggestscore", "SuggestCommentScore", "Corrects the scores of a comment."),
                }
            },
        },
    }


def _method(name: str, message: str, description: str) -> dict[str, Any]:
    path = f"v1alpha1/comments:{name}"
    return {
        "id": f"commentanalyzer.comments.{name}",
        "path": path,
        "flatPath": path,
        "httpMethod": "POST",
        "description": description,
        "parameters": {},
        "parameterOrder": [],
        "request": _reference(f"{message}Request"),
        "response": _reference(f"{message}Response"),
    }
