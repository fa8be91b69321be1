"""`POST /predict`: one text or several, answered while the caller waits."""

from collections.abc import Sequence

import msgspec
from fastapi import APIRouter, Request, Response
from starlette.routing import Route

from api.context import context_of
from api.doors.huggingface import routes as huggingface
from api.feed import writer as feed
from api.http import errors, schemas
from api.http.auth import admit
from api.http.body import read_json_object, refuse_unknown_fields
from api.http.echo import echo_of
from api.http.json_values import MAX_VALUES
from api.http.request_record import current_record
from api.queue.judging import Item
from shared.errors import KobertError, MalformedRequestError, TooLargeError
from shared.options import parse_verdict_options
from shared.span_options import SPAN_FIELDS
from shared.verdict import Verdict

router = APIRouter(tags=["predict"])

PATH = "/predict"
FIELDS = ("text", "texts", "strictness", "thresholds", "policy", "details", *SPAN_FIELDS)

_REQUEST_BODY = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {"anyOf": [schemas.OneText.model_json_schema(), schemas.ManyTexts.model_json_schema()]},
            "examples": {
                "text": {"summary": "한 문장", "value": {"text": schemas.EXAMPLE_TEXT}},
                "texts": {"summary": "여러 문장", "value": {"texts": [schemas.EXAMPLE_TEXT, "배송이 너무 늦어요."]}},
                "explain": {
                    "summary": "어느 말 때문인지",
                    "value": {"text": "아 씨발 또 비 온다", "explain": True, "mask": True},
                },
                "strict": {"summary": "엄격하게", "value": {"text": schemas.EXAMPLE_TEXT, "strictness": "strict"}},
            },
        }
    },
}


_encode = msgspec.json.Encoder().encode


@router.post(
    PATH,
    summary="Classify one text or several",
    response_model=schemas.PredictionOut | schemas.ManyPredictions,
    responses=schemas.error_replies(401, 403, 408, 413, 415, 422, 429, 500, 503, 504),
    openapi_extra={"requestBody": _REQUEST_BODY},
)
async def predict(request: Request) -> Response:
    """Send `{"text": "…"}` for one answer, or `{"texts": ["…", …]}` for answers in the same order.

    Among several, an item that cannot be classified has an `error` in its place; only when none can is the whole
    request refused.

    `strictness` (`lenient`, `standard`, `strict`) and `thresholds` (`{"curse": 0.4}`) say for this request which scores
    count. `GET /info` has the levels and labels that the model knows. `policy` names the rules of a board
    (`/policies`), and `details` asks what the verdict rests on.

    `explain` adds `spans`, the parts of the text that made its labels count; `mask` adds `masked`, the text with them
    hidden.
    """
    # For the log and the metrics; FastAPI would have set it.
    request.scope["route"] = FAST_ROUTE
    await admit(request, "predict")
    context = context_of(request)
    context.dispatcher.require_room()
    limits = context.settings
    body = await read_json_object(request, limits.max_body_bytes, max(MAX_VALUES, 2 * limits.max_texts_per_request))
    if "inputs" in body:
        return await huggingface.answer_predict(body, context)
    refuse_unknown_fields(body, FIELDS)
    items = _items(body, context.settings.max_texts_per_request)
    options = parse_verdict_options(body.get("strictness"), body.get("thresholds"), body.get("details"), body)
    options = context.judging.check_options(options, body.get("policy"))
    judged = await context.judging.judge(items, options)
    principal = current_record().principal
    if context.feed.writer is not None and principal is not None and request.headers.get(feed.HEADER) != feed.OFF:
        context.feed.writer.note(principal.owner, items, judged.outcomes)
    content = encode_answer(items, judged.outcomes, is_many="texts" in body)
    return Response(content, media_type="application/json", headers=judged.headers())


# The same function without FastAPI's machinery around it, which would cost as much as everything else on the way. The
# router above documents it.
FAST_ROUTE = Route(PATH, predict, methods=["POST"], include_in_schema=False)


def _items(body: dict[str, object], max_texts: int) -> list[Item]:
    """What the caller sent as texts, unchecked."""
    if ("text" in body) == ("texts" in body):
        raise MalformedRequestError('send either "text", a string, or "texts", an array of strings', param="text")
    if "text" in body:
        return [Item(body["text"], "text")]
    texts = body["texts"]
    if not isinstance(texts, list) or not texts:
        raise MalformedRequestError('"texts" must be an array of at least one string', param="texts")
    if len(texts) > max_texts:
        raise TooLargeError(
            f"{len(texts):,} texts in one request; at most {max_texts:,} are taken (MAX_TEXTS_PER_REQUEST). "
            "Send them in parts",
            param="texts",
        )
    return [Item(text, f"texts[{index}]") for index, text in enumerate(texts)]


def encode_answer(
    items: Sequence[Item], outcomes: Sequence[Verdict | KobertError], *, is_many: bool, request_id: str | None = None
) -> bytes:
    """The JSON of an answer; `request_id` is that of its request, by default the current one."""
    shown = [_encode_result(item, outcome, request_id) for item, outcome in zip(items, outcomes, strict=True)]
    return b'{"results":[' + b",".join(shown) + b"]}" if is_many else shown[0]


def _encode_result(item: Item, outcome: Verdict | KobertError, request_id: str | None) -> bytes:
    """The item as it was sent, then the fields of its verdict, or its error."""
    if isinstance(outcome, Verdict):
        return b'{"text":' + _encode(item.value) + b"," + _encode(outcome)[1:]
    return (
        b'{"text":'
        + _encode(echo_of(item.value))
        + b',"error":'
        + _encode(errors.body_of(outcome, param=item.name, request_id=request_id))
        + b"}"
    )
