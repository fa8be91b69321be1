"""The state of the service: `GET /`, `/health`, `/ready`, `/info`."""

import time
from contextlib import suppress
from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response

from api.access.holdings import HoldingsReader
from api.access.principal import EVERYBODY, Principal
from api.console.routes import console_page, wants_page
from api.context import Context, ContextDep
from api.http import schemas
from api.http.admin_side import may_see_everything
from api.http.request_record import current_record
from shared.errors import UnavailableError
from shared.messages import CascadeFigures, Heartbeat

router = APIRouter(tags=["status"])

# What of a worker strangers are not told.
_PRIVATE = frozenset(("id", "rss_bytes", "started_at"))
GREETING = "Text Classification API (KoBERT)"


@router.head("/", include_in_schema=False)
@router.get("/", summary="Greeting", response_model=schemas.Greeting, responses=schemas.error_replies(403))
async def root(request: Request) -> Response:
    """The same words as the service that this one replaces; a browser gets the console."""
    if wants_page(request):
        return console_page(request)
    return Response(msgspec.json.encode({"message": GREETING}), media_type="application/json")


@router.head("/health", include_in_schema=False)
@router.get("/health", summary="Whether this process lives", responses=schemas.error_replies(403))
async def health() -> dict[str, str]:
    """200 as long as the process can answer at all; restart it when it cannot."""
    return {"status": "ok"}


@router.head("/ready", include_in_schema=False)
@router.get("/ready", summary="Whether a text sent now would be answered", responses=schemas.error_replies(403, 503))
async def ready(context: ContextDep) -> dict[str, str | int | list[str]]:
    """200 when Redis answers, the ledger is connected and a worker lives; else 503, with the reason.

    It tells what is so now: a worker that has stopped is not counted any more. `store_warnings` has a sentence for each
    setting of the store that puts jobs at risk.
    """
    await context.fleet.look_again()
    context.fleet.require_live_worker()
    context.jobs.require_connection()
    context.store_watch.require_fit()
    state: dict[str, str | int | list[str]] = {"status": "ready", "workers": len(context.fleet.workers)}
    if warnings := context.store_watch.warnings:
        state["store_warnings"] = warnings
    return state


@router.head("/info", include_in_schema=False)
@router.get("/info", summary="Model, workers, limits", responses=schemas.error_replies(401, 403, 429, 503))
async def info(request: Request, context: ContextDep) -> Response:
    """The model that is served, each worker with its speed and mean batch size, and the limits of a request.

    With keys, only one with the scope `admin` is told the workers' ids, memory and start. Who sends a key is told in
    `key` what it may do, what it has stored, and what is left of its rates.
    """
    shown = _describe(context)
    if not await may_see_everything(request):
        shown["workers"] = [_without_private(worker) for worker in shown["workers"]]
    principal = current_record().principal
    if principal is not None and principal is not EVERYBODY:
        shown["key"] = await _describe_key(principal, context)
    return Response(msgspec.json.encode(shown), media_type="application/json")


def _without_private(worker: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in worker.items() if name not in _PRIVATE}


async def _describe_key(principal: Principal, context: Context) -> dict[str, Any]:
    """What a key's own holder is told of it; `holds` and `left` are None while the store does not answer."""
    limits = {name: value for name, value in msgspec.structs.asdict(principal.limits).items() if value is not None}
    shown: dict[str, Any] = {
        "id": principal.key_id,
        "scopes": sorted(principal.scopes),
        "limits": limits,
        "holds": None,
        "left": None,
    }
    if not context.fleet.store_answers:
        return shown  # at once, as the rest
    reader, run = HoldingsReader(context.jobs.redis), context.jobs.run
    with suppress(UnavailableError):
        shown["holds"] = msgspec.structs.asdict(await run(reader.of, principal.owner, principal.key_id))
        shown["left"] = await run(reader.left, principal.key_id, principal.limits)
    return shown


def _describe(context: Context) -> dict[str, Any]:
    workers = context.fleet.workers
    newest = max(workers, key=lambda worker: worker.started_at, default=None)
    return {
        **_describe_for_tei(newest, context),
        "version": context.version,
        "uptime_s": round(time.time() - context.started_at, 1),
        "model": None if newest is None else newest.model,
        "workers": [_describe_worker(worker) for worker in workers],
        "inflight_texts": context.dispatcher.inflight_texts,
        "store_answers": context.fleet.store_answers,
        "limits": {
            "max_text_chars": context.settings.max_text_chars,
            "max_texts_per_request": context.settings.max_texts_per_request,
            "max_body_bytes": context.settings.max_body_bytes,
            "max_inflight_texts": context.settings.max_inflight_texts,
            "predict_timeout_s": context.settings.predict_timeout_s,
        },
    }


def _describe_for_tei(newest: Heartbeat | None, context: Context) -> dict[str, Any]:
    """What clients of Text Embeddings Inference read from its `/info`."""
    if newest is None:
        return {}
    labels = newest.model.labels
    return {
        "model_id": newest.model.name,
        "model_sha": newest.model.revision,
        "model_dtype": "int8",
        "model_type": {
            "classifier": {
                "id2label": {str(place): label for place, label in enumerate(labels)},
                "label2id": {label: place for place, label in enumerate(labels)},
            }
        },
        "max_concurrent_requests": context.settings.max_inflight_texts,
        "max_batch_tokens": context.settings.max_batch_tokens,
        "max_client_batch_size": context.settings.max_texts_per_request,
    }


def _describe_worker(worker: Heartbeat) -> dict[str, Any]:
    return {
        "id": worker.worker_id,
        "model": worker.model.name,
        "revision": worker.model.revision,
        "takes": worker.takes,
        "started_at": round(worker.started_at, 3),
        "waiting_texts": worker.waiting_texts,
        "rss_bytes": worker.rss_bytes,
        "cascade": _describe_cascade(worker.cascade),
        **msgspec.structs.asdict(worker.throughput),
    }


def _describe_cascade(figures: CascadeFigures | None) -> dict[str, Any] | None:
    """How much of what came to a worker its cascade has answered; None where it has none."""
    if figures is None:
        return None
    texts = figures.answered + figures.unsure + figures.exempt
    return {**msgspec.structs.asdict(figures), "share": round(figures.answered / texts, 4) if texts else 0.0}
