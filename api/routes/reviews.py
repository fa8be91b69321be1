"""`/reviews`: queues of a job's rows for moderators, who get items, decide, and can take a decision back."""

import time
from typing import Annotated, Any, TypeVar

import msgspec
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ValidationError

from api.context import Context, ContextDep
from api.http import schemas
from api.http.auth import CallerDep, OwnerDep
from api.http.body import read_json_object
from api.jobs.results import Selection
from api.reviews.export import as_json_lines, as_table
from api.reviews.records import Decision
from api.reviews.schemas import (
    DECISIONS_REPLY,
    DecisionsQuery,
    DecisionsRequest,
    ItemList,
    ItemOut,
    LeaseRequest,
    NewReview,
    OneDecision,
    ReviewDeleted,
    ReviewList,
    ReviewOut,
    UndoRequest,
)
from shared.errors import KobertError, MalformedRequestError

router = APIRouter(tags=["reviews"])
Sent = TypeVar("Sent", bound=BaseModel)


def _body_of(kind: type[BaseModel]) -> dict[str, Any]:
    """How OpenAPI describes a body that the house's own reader reads."""
    schema = kind.model_json_schema(ref_template="#/components/schemas/{model}")
    definitions = schema.pop("$defs", {})
    schema = _inlined(schema, definitions)
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def _inlined(schema: Any, definitions: dict[str, Any]) -> Any:  # noqa: ANN401  JSON
    """The schema with the models that it refers to in their places."""
    if isinstance(schema, list):
        return [_inlined(one, definitions) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    return {name: _inlined(value, definitions) for name, value in schema.items()}


# More than a full list of decisions has. Each value that is at fault costs as much as a text.
MAX_VALUES = 1_000
_SENT = (401, 403, 404, 409, 413, 415, 422, 429, 503)


@router.post(
    "/reviews",
    status_code=201,
    summary="Make a review queue of a job or of the live feed",
    response_model=ReviewOut,
    responses=schemas.error_replies(*_SENT),
    openapi_extra=_body_of(NewReview),
)
async def create_review(request: Request, owner: OwnerDep, context: ContextDep) -> Response:
    """Takes the rows of an ended job that match, the least certain first. It lasts as long as the job's results.

    With `"feed": true` in place of `job_id` it takes the texts of your live feed (`GET /feed`), also those that are yet
    to come; each, with what was decided of it, is forgotten `REVIEW_FEED_TTL_S` after it came.
    """
    wanted = await _read(request, NewReview, context)
    selection = Selection(
        only=wanted.only,
        label=wanted.label,
        contains=wanted.contains,
        min_confidence=wanted.min_confidence,
        max_confidence=wanted.max_confidence,
    )
    if wanted.feed == (wanted.job_id is not None):
        raise MalformedRequestError('send either "job_id" or "feed": true', param="job_id")
    if wanted.job_id is None:
        return _json(
            await context.reviews.progress(owner, await context.reviews.create_fed(owner, selection, wanted.order)), 201
        )
    job = await context.jobs.get(wanted.job_id, owner)
    options = job.spec.options
    policy = None if options is None or options.policy is None else options.policy.name
    head = await context.reviews.create(owner, job, selection, wanted.order, policy)
    return _json(await context.reviews.progress(owner, head), 201)


@router.get(
    "/reviews",
    summary="Your review queues, newest first",
    response_model=ReviewList,
    responses=schemas.error_replies(401, 403, 503),
)
async def list_reviews(owner: OwnerDep, context: ContextDep) -> Response:
    """Each with what is open and what was decided."""
    heads = await context.reviews.heads(owner)
    return _json({"object": "list", "data": [await context.reviews.progress(owner, head) for head in heads]})


@router.get(
    "/reviews/{review_id}",
    summary="How a review queue stands",
    response_model=ReviewOut,
    responses=schemas.error_replies(401, 403, 404, 422, 503),
)
async def get_review(review_id: str, owner: OwnerDep, context: ContextDep) -> Response:
    """What is open, what was decided, and by whom."""
    return _json(await context.reviews.progress(owner, await context.reviews.get(owner, review_id)))


@router.delete(
    "/reviews/{review_id}",
    summary="Delete a review queue",
    responses=schemas.error_replies(401, 403, 404, 422, 503),
)
async def delete_review(review_id: str, owner: OwnerDep, context: ContextDep) -> ReviewDeleted:
    """With its decisions; corrections that came of them stay."""
    await context.reviews.delete(owner, review_id)
    return ReviewDeleted(id=review_id, object="review", deleted=True)


@router.post(
    "/reviews/{review_id}/lease",
    summary="Get items to decide",
    response_model=ItemList,
    responses=schemas.error_replies(*_SENT),
    openapi_extra=_body_of(LeaseRequest),
)
async def lease_items(review_id: str, request: Request, owner: OwnerDep, context: ContextDep) -> Response:
    """First those that this reviewer holds already. Nobody else gets them for REVIEW_LEASE_S, from the last time on."""
    wanted = await _read(request, LeaseRequest, context)
    head = await context.reviews.get(owner, review_id)
    items = await context.reviews.lease(owner, head, wanted.reviewer, wanted.count)
    return _json({"object": "list", "data": items})


@router.post(
    "/reviews/{review_id}/decisions",
    summary="Decide items",
    responses=schemas.error_replies(*_SENT),
    openapi_extra=_body_of(DecisionsRequest),
)
async def decide_items(review_id: str, request: Request, caller: CallerDep, context: ContextDep) -> Response:
    """Results in the order of the decisions; one that cannot be kept has an `error` and stops no other.

    A decision against the verdict becomes a correction, if the key has the scope `policies`.
    """
    wanted = await _read(request, DecisionsRequest, context)
    head = await context.reviews.get(caller.owner, review_id)
    _check_labels(wanted.decisions, context)
    results: list[Any] = []
    for place, one in enumerate(wanted.decisions):
        try:
            kept = await context.reviews.decide(caller, head, one.item, _decision(one, wanted.reviewer))
            results.append({"item": one.item, **msgspec.structs.asdict(kept)})
        except KobertError as error:
            body = {"code": error.code, "message": error.message, "param": f"decisions[{place}]"}
            results.append({"item": one.item, "error": body})
    return _json({"results": results})


@router.post(
    "/reviews/{review_id}/undo",
    summary="Take a decision back",
    response_model=ItemOut,
    responses=schemas.error_replies(*_SENT),
    openapi_extra=_body_of(UndoRequest),
)
async def undo_decision(review_id: str, request: Request, owner: OwnerDep, context: ContextDep) -> Response:
    """The reviewer who decided holds the item again; the correction that it became is withdrawn."""
    wanted = await _read(request, UndoRequest, context)
    head = await context.reviews.get(owner, review_id)
    return _json(await context.reviews.undo(owner, head, wanted.item, wanted.reviewer))


@router.get(
    "/reviews/{review_id}/decisions",
    summary="What was decided",
    responses={**schemas.error_replies(401, 403, 404, 422, 503), 200: DECISIONS_REPLY},
)
async def list_decisions(
    review_id: str, owner: OwnerDep, context: ContextDep, query: Annotated[DecisionsQuery, Query()]
) -> Response:
    """Every decision with its row, who made it and when, as jsonl or csv."""
    head = await context.reviews.get(owner, review_id)
    decisions = await context.reviews.decisions(owner, head)
    items = await context.reviews.items(owner, head, list(decisions))
    decided = [(item, decisions[item.item]) for item in items]
    if query.format == "csv":
        return Response(as_table(decided, is_safe=query.safe), media_type="text/csv; charset=utf-8")
    return Response(as_json_lines(decided), media_type="application/jsonl; charset=utf-8")


async def _read(request: Request, kind: type[Sent], context: Context) -> Sent:
    body = await read_json_object(request, context.settings.max_body_bytes, MAX_VALUES)
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        fault = error.errors()[0]
        name = ".".join(map(str, fault["loc"]))
        raise MalformedRequestError(f"{name}: {fault['msg']}", param=name or None) from error


def _decision(sent: OneDecision, reviewer: str) -> Decision:
    return Decision(
        decision=sent.decision, reviewer=reviewer, decided_at=int(time.time()), classification=sent.classification
    )


def _check_labels(decisions: list[OneDecision], context: Context) -> None:
    labels = context.fleet.require_labels()
    for place, one in enumerate(decisions):
        if one.classification is not None and one.classification not in labels:
            raise MalformedRequestError(
                f"decisions[{place}].classification must be one of {', '.join(labels)}",
                param=f"decisions[{place}].classification",
            )


def _json(content: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(content), status, media_type="application/json")
