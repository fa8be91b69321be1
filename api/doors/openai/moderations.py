"""`POST /v1/moderations`."""

import uuid
from typing import Any

import msgspec
from fastapi import APIRouter, Depends, Request, Response

from api.context import ContextDep
from api.doors.bodies import convert
from api.doors.openai.categories import show_result
from api.doors.openai.errors import OpenAiRoute, unreadable_part
from api.doors.openai.models import require_model
from api.doors.options import read_options
from api.http.auth import require_scope
from api.http.body import read_json_object
from api.queue.judging import Item, Judged
from shared.errors import KobertError, MalformedRequestError, TooLargeError
from shared.verdict import Verdict

router = APIRouter(route_class=OpenAiRoute, include_in_schema=False, dependencies=[Depends(require_scope("predict"))])


class ModerationRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The body; `strictness`, `thresholds` and `policy` are ours."""

    input: Any = None
    model: str | None = None
    strictness: Any = None
    thresholds: Any = None
    policy: Any = None


@router.post("/v1/moderations")
async def create_moderation(request: Request, context: ContextDep) -> Response:
    """One result per string of `input`; one for all parts together, if `input` is an array of parts."""
    asked = convert(await read_json_object(request, context.settings.max_body_bytes), ModerationRequest)
    if asked.model is not None:
        require_model(asked.model, context.fleet)
    options = read_options(context.judging, asked.strictness, asked.thresholds, asked.policy)
    items, is_one = read_input(asked.input, context.settings.max_texts_per_request)
    judged = await context.judging.judge(items, options)
    verdicts = require_verdicts(judged)
    model = context.judging.model
    inputs = [verdicts] if is_one else [[verdict] for verdict in verdicts]
    reply = show_reply(uuid.uuid4().hex, model.name, [show_result(verdicts, model.clean_label) for verdicts in inputs])
    return Response(msgspec.json.encode(reply), media_type="application/json", headers=judged.headers())


def show_reply(number: str, model: str, results: list[dict[str, object]]) -> dict[str, object]:
    """OpenAI's reply to a request for moderation."""
    return {"id": f"modr-{number}", "model": model, "results": results}


def read_input(given: object, max_texts: int) -> tuple[list[Item], bool]:
    """The texts of `input`, unchecked, and whether they are the parts of one input.

    Raises:
        MalformedRequestError: it is neither a string nor an array of at least one element.
        TooLargeError: it has more than `max_texts`.
        TextRejectedError: a part is no text.
    """
    if isinstance(given, str):
        return [Item(given, "input")], True
    if not isinstance(given, list) or not given:
        raise MalformedRequestError(
            '"input" must be a string, an array of strings, or an array of parts {"type": "text", "text": "…"}',
            param="input",
        )
    if len(given) > max_texts:
        raise TooLargeError(
            f"{len(given):,} inputs in one request; at most {max_texts:,} are taken (MAX_TEXTS_PER_REQUEST). "
            "Send them in parts, or as a batch",
            param="input",
        )
    is_one = any(isinstance(element, dict) for element in given)
    return [Item(_text_of(element, f"input[{at}]"), f"input[{at}]") for at, element in enumerate(given)], is_one


def require_verdicts(judged: Judged) -> list[Verdict]:
    """The verdicts of all items. OpenAI's reply has no place for an error among results.

    Raises:
        KobertError: that of the first item without one.
    """
    for outcome in judged.outcomes:
        if isinstance(outcome, KobertError):
            raise outcome
    return [outcome for outcome in judged.outcomes if isinstance(outcome, Verdict)]


def _text_of(element: object, name: str) -> object:
    """The text of a part; anything but a part is left to the checks that every text passes."""
    if not isinstance(element, dict):
        return element
    if element.get("type") == "image_url":
        raise unreadable_part(f"{name} is an image; this service reads text only. Leave images out", name)
    if element.get("type") != "text":
        raise unreadable_part(f'{name} must be a part {{"type": "text", "text": "…"}}', name)
    return element.get("text")
