"""`/corrections`: answers that people put right, which hold until they are withdrawn."""

import time
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response

from api.access.principal import Principal
from api.context import Context, ContextDep
from api.corrections.request import MANY, Limits, Sender, read_corrections
from api.corrections.schemas import (
    LIST_REPLY,
    REQUEST_BODY,
    CorrectionDeleted,
    CorrectionOut,
    CorrectionPage,
    CorrectionsQuery,
    ManyResults,
)
from api.corrections.view import JsonLines, Table, show_correction
from api.http import errors, schemas
from api.http.auth import require_scope
from api.http.body import read_json_object
from api.http.proxies import root_path_of
from api.jobs.placed_response import PlacedResponse
from shared.corrections.records import NewCorrection
from shared.corrections.store import Added
from shared.errors import KobertError

router = APIRouter(tags=["corrections"])

# Whose texts they are does not matter: whoever may change what the service answers sees what was changed.
EditorDep = Annotated[Principal, Depends(require_scope("policies"))]


@router.post(
    "/corrections",
    status_code=201,
    summary="Put an answer right",
    response_model=CorrectionOut,
    responses={**schemas.error_replies(401, 403, 413, 415, 422, 503), 200: {"model": CorrectionOut | ManyResults}},
    openapi_extra={"requestBody": REQUEST_BODY},
)
async def add_corrections(request: Request, editor: EditorDep, context: ContextDep) -> Response:
    """Send `{"text": "…", "classification": "clean"}`: this text, disguises aside, is answered so from now on.

    201 for a new one, 200 where it replaces one of the same text and policy. `{"corrections": [{…}, …]}` takes several
    at once, answered by 200 and `results` in their order. Every key with the scope `policies` sees all corrections.
    """
    body = await read_json_object(request, context.settings.max_body_bytes)
    outcomes = await _add(read_corrections(body, Sender(editor.key_id, int(time.time())), _limits(context)), context)
    if all(isinstance(outcome, KobertError) for outcome in outcomes):
        raise outcomes[0]  # type: ignore[misc]  # the line above says that it is an error
    if ids := [outcome.correction.id for outcome in outcomes if isinstance(outcome, Added)]:
        target = ids[0] if len(ids) == 1 else f"{ids[0]} and {len(ids) - 1:,} more"
        await context.audit.note(editor, "correction.added", target)
    if MANY not in body and isinstance(outcomes[0], Added):
        return _show_one(request, outcomes[0])
    return _json({"results": [_show(outcome, f"{MANY}[{at}]") for at, outcome in enumerate(outcomes)]})


@router.get(
    "/corrections",
    summary="Corrections, the last changed first; or all as a file",
    response_model=CorrectionPage,
    responses={**schemas.error_replies(401, 403, 404, 422, 429, 503), 200: LIST_REPLY},
)
async def list_corrections(
    editor: EditorDep, context: ContextDep, query: Annotated[CorrectionsQuery, Query()]
) -> Response:
    """A page in OpenAI's form: `data`, `has_more`, `first_id`, `last_id`. With `format=jsonl|csv` all as a file."""
    if query.format is not None:
        export = JsonLines() if query.format == "jsonl" else Table(is_safe=query.safe)
        headers = {"Content-Disposition": f'attachment; filename="corrections.{query.format}"'}
        context.jobs.downloads.require_room(editor.owner)
        pieces = context.corrections.export(export)
        return PlacedResponse(context.jobs.downloads, editor.owner, pieces, export.media_type, headers)
    found, has_more = await context.corrections.page(query.limit, query.after)
    page = {
        "object": "list",
        "data": [show_correction(one) for one in found],
        "first_id": found[0].id if found else None,
        "last_id": found[-1].id if found else None,
        "has_more": has_more,
    }
    return _json(page)


@router.get(
    "/corrections/{correction_id}",
    summary="One correction",
    response_model=CorrectionOut,
    responses=schemas.error_replies(401, 403, 404, 422, 503),
)
async def get_correction(correction_id: str, _editor: EditorDep, context: ContextDep) -> Response:
    """As it was sent, with who sent it and when."""
    return _json(show_correction(await context.corrections.get(correction_id)))


@router.delete(
    "/corrections/{correction_id}",
    summary="Withdraw a correction",
    responses=schemas.error_replies(401, 403, 404, 422, 503),
)
async def withdraw_correction(correction_id: str, editor: EditorDep, context: ContextDep) -> CorrectionDeleted:
    """The model answers the text again, within a second."""
    await context.corrections.withdraw(correction_id)
    await context.audit.note(editor, "correction.withdrawn", correction_id)
    return CorrectionDeleted(id=correction_id, object="correction", deleted=True)


async def _add(read: list[NewCorrection | KobertError], context: Context) -> list[Added | KobertError]:
    """What became of each, in order."""
    accepted = [one for one in read if isinstance(one, NewCorrection)]
    added = iter(await context.corrections.add(accepted) if accepted else [])
    return [one if isinstance(one, KobertError) else next(added) for one in read]


def _limits(context: Context) -> Limits:
    settings = context.settings
    labels = context.fleet.require_labels()
    return Limits(settings.max_text_chars, settings.max_texts_per_request, labels, context.policies.book.look_up)


def _show_one(request: Request, added: Added) -> Response:
    path = f"{root_path_of(request)}/corrections/{added.correction.id}"
    return _json(show_correction(added.correction), 201 if added.is_new else 200, Location=path)


def _show(outcome: Added | KobertError, name: str) -> object:
    if isinstance(outcome, Added):
        return show_correction(outcome.correction)
    return {"error": errors.body_of(outcome, param=getattr(outcome, "param", None) or name)}


def _json(content: object, status: int = 200, **headers: str) -> Response:
    return Response(msgspec.json.encode(content), status, headers, "application/json")
