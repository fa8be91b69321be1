"""`/policies`: the rules of boards. One set of them, shared by all keys; each route needs the scope `policies`."""

import re
from collections.abc import AsyncIterator
from contextlib import nullcontext
from typing import Annotated, Any
from urllib.parse import quote

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Request, Response

from api.access.principal import Principal
from api.context import Context, ContextDep
from api.http import errors, schemas
from api.http.auth import require_scope
from api.http.body import read_json_object, refuse_unknown_fields
from api.http.proxies import root_path_of
from api.jobs.placed_response import PlacedResponse
from api.policies.schemas import (
    POLICY_REQUEST,
    TRIAL_REQUEST,
    PolicyDeleted,
    PolicyHits,
    PolicyOut,
    PolicyPage,
    PolicyTrial,
    PolicyVersions,
    VersionQuery,
    show_head,
    show_policy,
)
from api.policies.store import Sharing
from api.policies.toml_text import as_toml
from api.queue.judging import Item, Judged
from shared.errors import KobertError, MalformedRequestError
from shared.policies.parsing import FIELDS
from shared.verdict import Verdict

router = APIRouter(tags=["policies"])

# Of an answer, or of rules that are sent: more is counted, and sent in pieces of this size.
LARGE_BYTES = 64 * 1024
# A client may send back what it was given.
_SHOWN = ("object", "name", "version", "created_at", "updated_at", "updated_by", "read_only", "counts")
_TRIED = ("classification", "confidence", "labels")
_ETAG = re.compile(r'(?:W/)?"(\d{1,15})"')
WriterDep = Annotated[Principal, Depends(require_scope("policies"))]


@router.get(
    "/policies", summary="All policies", response_model=PolicyPage, responses=schemas.error_replies(401, 403, 503)
)
async def list_policies(_: WriterDep, context: ContextDep) -> Response:
    """By name, without their lists: `counts` says how long these are."""
    heads = await context.policies.heads()
    return _json({"object": "list", "data": [show_head(name, head) for name, head in heads.items()]})


@router.get(
    "/policies/{name}",
    summary="One policy",
    response_model=PolicyOut,
    responses=schemas.error_replies(401, 403, 404, 429, 503),
)
async def get_policy(name: str, principal: WriterDep, context: ContextDep) -> Response:
    """With its lists. The ETag is its version, for `If-Match`."""
    head, policy = await context.policies.get(name)
    return _send(_json(show_policy(name, head, policy), {"ETag": f'"{head.version}"'}), principal, context)


@router.get(
    "/policies/{name}/hits",
    summary="How often each entry fired",
    response_model=PolicyHits,
    responses=schemas.error_replies(401, 403, 404, 429, 503),
)
async def policy_hits(name: str, principal: WriterDep, context: ContextDep) -> Response:
    """Texts of `/predict` and jobs, counted a few seconds late; forgotten a month after the last hit of the policy."""
    hits = await context.policies.hits(name)
    shown = [{"list": kind, "term": term, "hits": n} for kind, term, n in hits]
    return _send(_json({"object": "list", "data": shown}), principal, context)


@router.get(
    "/policies/{name}/versions",
    summary="The versions of a policy",
    response_model=PolicyVersions,
    responses=schemas.error_replies(401, 403, 404, 503),
)
async def list_versions(name: str, _: WriterDep, context: ContextDep) -> Response:
    """Newest first, each with who made it and when: the last MAX_POLICY_VERSIONS, of a deleted policy for a month.

    Together their rules have at most twice MAX_POLICY_BYTES.
    """
    now, kept = await context.policies.versions(name)
    shown = [show_head(name, head) for head in kept]
    return _json({"object": "list", "current": None if now is None else now.version, "data": shown})


@router.get(
    "/policies/{name}/versions/{version}",
    summary="One version of a policy",
    response_model=PolicyOut,
    responses={**schemas.error_replies(401, 403, 404, 422, 429, 503), 200: {"content": {"application/toml": {}}}},
)
async def get_version(
    name: str,
    version: Annotated[int, Path(ge=1, le=2**53 - 1)],
    principal: WriterDep,
    context: ContextDep,
    query: Annotated[VersionQuery, Query()],
) -> Response:
    """As `PUT /policies/{name}` takes it, which restores it; `format=toml` as POLICIES_FILE has it."""
    head, policy = await context.policies.get_version(name, version)
    if query.format == "toml":
        return Response(as_toml(name, policy), media_type="application/toml; charset=utf-8")
    return _send(_json(show_policy(name, head, policy)), principal, context)


@router.post(
    "/policies/{name}/try",
    summary="See what a change would do",
    response_model=PolicyTrial,
    responses=schemas.error_replies(401, 403, 404, 408, 413, 415, 422, 429, 503, 504),
    openapi_extra=TRIAL_REQUEST,
)
async def try_policy(name: str, request: Request, principal: WriterDep, context: ContextDep) -> Response:
    """Judges `texts` by the policy as it is (by none, where there is none of this name) and by `rules` in its place.

    Nothing is stored, and what fires is not counted.
    """
    body = await read_json_object(request, context.settings.max_body_bytes)
    refuse_unknown_fields(body, ("rules", "texts"))
    rules = body.get("rules")
    if not isinstance(rules, dict):
        raise MalformedRequestError('"rules" must be an object, as PUT /policies/{name} takes it', param="rules")
    rules = {field: value for field, value in rules.items() if field not in _SHOWN}
    refuse_unknown_fields(rules, FIELDS)
    items = _items(body.get("texts"), context.settings.max_texts_per_request)
    sharing = await _sharing(context)
    # A worker takes half a second to make 20,000 new entries ready.
    with context.jobs.inputs.held(principal.owner):
        async with context.policies.draft(name, rules, principal.key_id, sharing) as (old, new):
            del body, rules  # megabytes, and judging may take a while
            was, now = await context.judging.judge(items, old), await context.judging.judge(items, new)
    return _json({"object": "list", "data": _compared(items, was, now)})


@router.put(
    "/policies/{name}",
    summary="Set the rules of a policy",
    response_model=PolicyOut,
    responses={**schemas.error_replies(401, 403, 409, 412, 413, 415, 422, 429, 503), 201: {"model": PolicyOut}},
    openapi_extra=POLICY_REQUEST,
)
async def put_policy(name: str, request: Request, principal: WriterDep, context: ContextDep) -> Response:
    """The whole policy: a field that is left out is unset. It acts on every worker within a second.

    `If-Match: "VERSION"` changes that version alone, `If-None-Match: *` makes a new policy alone; else 412.
    """
    body = await read_json_object(request, context.settings.max_body_bytes)
    body = {field: value for field, value in body.items() if field not in _SHOWN}
    refuse_unknown_fields(body, FIELDS)
    sharing = await _sharing(context)
    # Held until the answer holds a place of its own.
    with context.jobs.large_policies.held(principal.owner) if _is_large(request) else nullcontext():
        stored, policy = await context.policies.put(name, body, principal.key_id, _wanted_version(request), sharing)
    del body  # megabytes
    await context.audit.note(principal, "policy.changed", name)
    headers = {"ETag": f'"{stored.head.version}"'}
    if stored.is_new:
        headers["Location"] = f"{root_path_of(request)}/policies/{quote(name)}"
    shown = _json(show_policy(name, stored.head, policy), headers, 201 if stored.is_new else 200)
    return _send(shown, principal, context, is_due=True)


@router.delete(
    "/policies/{name}", summary="Delete a policy", responses=schemas.error_replies(401, 403, 404, 409, 412, 422, 503)
)
async def delete_policy(name: str, request: Request, principal: WriterDep, context: ContextDep) -> PolicyDeleted:
    """Jobs that began with it go on with it; whoever names it from now on gets 422."""
    await context.policies.delete(name, _wanted_version(request), principal.key_id)
    await context.audit.note(principal, "policy.deleted", name)
    return PolicyDeleted(name=name, object="policy", deleted=True)


def _items(texts: object, max_texts: int) -> list[Item]:
    if not isinstance(texts, list) or not 1 <= len(texts) <= max_texts:
        raise MalformedRequestError(
            f'"texts" must be an array of 1 to {max_texts:,} strings (MAX_TEXTS_PER_REQUEST)', param="texts"
        )
    return [Item(text, f"texts[{place}]") for place, text in enumerate(texts)]


def _compared(items: list[Item], was: Judged, now: Judged) -> list[dict[str, Any]]:
    shown: list[dict[str, Any]] = []
    for item, *pair in zip(items, was.outcomes, now.outcomes, strict=True):
        verdicts = [one for one in pair if isinstance(one, Verdict)]
        if len(verdicts) == len(pair):
            old, new = ({field: getattr(one, field) for field in _TRIED} for one in verdicts)
            shown.append({"was": old, "now": new})
        else:
            failure = next(one for one in pair if isinstance(one, KobertError))
            shown.append({"error": errors.body_of(failure, param=item.name)})
    return shown


async def _sharing(context: Context) -> Sharing:
    """How the store stands; raises OverloadedError where it is nearly full."""
    return Sharing(context.jobs.is_shared, await context.jobs.free_bytes())


def _wanted_version(request: Request) -> int | None:
    """The version that a change must meet: 0 for none yet, None for any."""
    if request.headers.get("if-none-match") == "*":
        return 0
    wanted = request.headers.get("if-match", "*").strip()
    if wanted == "*":
        return None
    found = _ETAG.fullmatch(wanted)
    if found is None:
        raise MalformedRequestError('If-Match must be the ETag of a policy, such as "7"', param="If-Match")
    return int(found[1])


def _is_large(request: Request) -> bool:
    declared = request.headers.get("content-length", "")
    return not declared.isdecimal() or int(declared) > LARGE_BYTES


def _send(whole: Response, principal: Principal, context: Context, *, is_due: bool = False) -> Response:
    """An answer that may have megabytes. Few of those are in memory at a time, since a client may not read it.

    Raises:
        OverloadedError: there are too many; not where the answer `is_due`, since a change was made.
    """
    content = bytes(whole.body)
    if len(content) <= LARGE_BYTES:
        return whole
    places = context.jobs.large_policies
    if not is_due:
        places.require_room(principal.owner)
    sent = PlacedResponse(places, principal.owner, _pieces(content), headers=dict(whole.headers))
    sent.status_code, sent.is_due = whole.status_code, is_due
    return sent


async def _pieces(encoded: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(encoded), LARGE_BYTES):
        yield encoded[start : start + LARGE_BYTES]


def _json(content: Any, headers: dict[str, str] | None = None, status: int = 200) -> Response:  # noqa: ANN401  JSON
    return Response(msgspec.json.encode(content), status, headers, "application/json")
