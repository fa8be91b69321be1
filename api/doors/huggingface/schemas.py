"""The JSON of `POST /` as OpenAPI shows it: the one route of a door whose path another route has too."""

from typing import Any

from pydantic import BaseModel

from api.http.schemas import EXAMPLE_TEXT


class LabelOut(BaseModel):
    """One label of a text."""

    label: str
    score: float


class RefusalOut(BaseModel):
    """An error in Text Embeddings Inference's form."""

    error: str
    error_type: str


_TEXT_OR_ITS_LIST = {
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "maxItems": 1, "minItems": 1}]
}
REQUEST_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["inputs"],
                "additionalProperties": False,
                "properties": {
                    "inputs": {
                        "anyOf": [{"type": "string"}, {"type": "array", "minItems": 1, "items": _TEXT_OR_ITS_LIST}]
                    },
                    "parameters": {
                        "type": ["object", "null"],
                        "additionalProperties": False,
                        "properties": {
                            "top_k": {"type": ["integer", "null"], "minimum": 1},
                            "function_to_apply": {"enum": ["sigmoid", "softmax", "none", None]},
                            "strictness": {"enum": ["lenient", "standard", "strict", None]},
                            "thresholds": {
                                "type": ["object", "null"],
                                "additionalProperties": {"type": "number", "minimum": 0, "maximum": 1},
                            },
                            "policy": {"type": ["string", "null"]},
                        },
                    },
                    "options": {"description": "has no effect"},
                    "truncate": {"type": ["boolean", "null"], "description": "has no effect"},
                    "truncation_direction": {"type": ["string", "null"], "description": "has no effect"},
                    "raw_scores": {"type": ["boolean", "null"]},
                },
                "example": {"inputs": [EXAMPLE_TEXT]},
            }
        }
    },
}
