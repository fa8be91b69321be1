"""`comments:analyze`, `comments:suggestscore`, and the document from which Google's clients build themselves."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Request, Response

from api.access.principal import Principal
from api.context import ContextDep
from api.doors.bodies import convert
from api.doors.perspective import errors
from api.doors.perspective.discovery import describe
from api.doors.perspective.languages import detect_language
from api.doors.perspective.messages import (
    PROBABILITY,
    AnalyzeRequest,
    AttributeParameters,
    SuggestRequest,
    attribute_of,
    require_attributes,
    require_comment,
)
from api.doors.perspective.scores import AttributeScale
from api.doors.perspective.sentences import Span, sentences, whole
from api.doors.perspective.suggestions import community_options, correct
from api.doors.route import DoorRoute
from api.http.auth import require_scope
from api.http.body import parse_json_object
from api.http.echo import quotable
from api.http.proxies import root_path_of
from api.queue.judging import Item
from shared.errors import KobertError
from shared.verdict import Verdict

Values = dict[str, float]
SpanValues = list[tuple[Span, Values]]


class PerspectiveRoute(DoorRoute):
    """Keys come as `?key=`, or in Google's header."""

    door = "perspective"
    key_parameter = "key"
    key_header = "x-goog-api-key"

    def show_error(self, error: KobertError) -> tuple[int, dict[str, object]]:
        """Google's form of an error."""
        return errors.show_error(error)


router = APIRouter(route_class=PerspectiveRoute, include_in_schema=False)


@router.post("/v1alpha1/comments:analyze", dependencies=[Depends(require_scope("predict"))])
async def analyze(request: Request, context: ContextDep) -> Response:
    """Perspective's scores for a comment, and for each of its sentences if `spanAnnotations` is true."""
    asked = convert(await parse_json_object(request, context.settings.max_body_bytes), AnalyzeRequest)
    scale = AttributeScale(context.judging.model)
    attributes = require_attributes(asked, scale.attributes)
    text = require_comment(asked).text
    parts = sentences(text) if asked.span_annotations and isinstance(text, str) else []
    if len(parts) == 1:
        parts = []
    items = [Item(text, "comment.text"), *(Item(part.text, "comment.text") for part in parts)]
    judged = await context.judging.judge(items, community_options(asked.community_id, context))
    values = [scale.values(outcome) if isinstance(outcome, Verdict) else None for outcome in judged.outcomes]
    if values[0] is None:
        raise judged.outcomes[0]  # type: ignore[misc]  # an outcome without a verdict is an error
    spans = [(part, found) for part, found in zip(parts, values[1:], strict=True) if found is not None]
    reply = _reply(asked, attributes, values[0], spans or [(whole(text), values[0])])
    return Response(msgspec.json.encode(reply), media_type="application/json", headers=judged.headers())


@router.post("/v1alpha1/comments:suggestscore")
async def suggest(
    request: Request, editor: Annotated[Principal, Depends(require_scope("policies"))], context: ContextDep
) -> Response:
    """A moderator's decision becomes a correction, unless the verdict agrees with it."""
    asked = convert(await parse_json_object(request, context.settings.max_body_bytes), SuggestRequest)
    await correct(asked, editor, context)
    reply = {} if asked.client_token is None else {"clientToken": quotable(asked.client_token)}
    return Response(msgspec.json.encode(reply), media_type="application/json")


@router.get("/$discovery/rest")
@router.get("/discovery/v1/apis/commentanalyzer/v1alpha1/rest")
async def discovery(request: Request) -> dict[str, Any]:
    """Describes the API under the address that the client used."""
    return describe(f"{request.url.scheme}://{request.url.netloc}{root_path_of(request)}/")


def _reply(
    asked: AnalyzeRequest, attributes: dict[str, AttributeParameters], summary: Values, spans: SpanValues
) -> dict[str, object]:
    detected = [detect_language(str(asked.comment and asked.comment.text))]
    reply: dict[str, object] = {
        "attributeScores": {
            name: _show_scores(attribute_of(name), summary, spans)
            for name, parameters in attributes.items()
            if summary[attribute_of(name)] >= parameters.score_threshold
        },
        "languages": [quotable(language) for language in asked.languages or detected],
        "detectedLanguages": detected,
    }
    if asked.client_token is not None:
        reply["clientToken"] = quotable(asked.client_token)
    return reply


def _show_scores(attribute: str, summary: Values, spans: SpanValues) -> dict[str, object]:
    return {
        "spanScores": [
            {"begin": span.begin, "end": span.end, "score": _show_score(values[attribute])} for span, values in spans
        ],
        "summaryScore": _show_score(summary[attribute]),
    }


def _show_score(value: float) -> dict[str, object]:
    return {"value": value, "type": PROBABILITY}
