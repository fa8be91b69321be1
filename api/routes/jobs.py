"""`/jobs`: upload a file of comments, download it with verdicts."""

import hashlib
from collections.abc import Mapping
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request, Response

from api.context import Context, ContextDep
from api.http import bodies, schemas
from api.http.auth import CallerDep, OwnerDep
from api.http.body import stream_body
from api.http.proxies import root_path_of
from api.jobs.events import progress_events, wait_for_end
from api.jobs.names import content_disposition
from api.jobs.placed_response import PlacedResponse
from api.jobs.preview import MAX_PREVIEW_BYTES
from api.jobs.rendering import JsonLines, Renderer, Table, VerdictLines
from api.jobs.result_files import MEDIA_TYPES, file_response
from api.jobs.results import ResultStream, Selection
from api.jobs.schemas import (
    EVENTS_REPLY,
    FILE_REPLY,
    JOB_REQUEST,
    MAX_KEY_CHARS,
    MAX_LAST_ROWS,
    ErrorsQuery,
    JobDeleted,
    JobOut,
    JobPage,
    JobQuery,
    JobsQuery,
    ResultsQuery,
)
from api.jobs.view import is_partial, show_job
from api.uploads.opening import UploadRequest
from api.uploads.pull import BodyPull
from shared.errors import ConflictError, MalformedRequestError, TooLargeError
from shared.jobs.records import Job

router = APIRouter(tags=["jobs"])

_TABLES = frozenset(("csv", "tsv", "xlsx", "parquet"))


@router.post(
    "/jobs",
    status_code=202,
    summary="Classify a file or many texts",
    response_model=JobOut,
    responses=schemas.error_replies(401, 403, 408, 413, 415, 422, 429, 503),
    openapi_extra=JOB_REQUEST,
)
async def create_job(request: Request, owner: OwnerDep, context: ContextDep) -> Response:
    """Send a file (multipart `file=`, or as the body) or JSON `{"texts": […]}`.

    Files are csv, tsv, jsonl, json, plain lines, xlsx or parquet, each also gzipped. Options go in the query or, before
    the file, in the form. 202 means that the job is stored.
    """
    digest = _idempotency_digest(request)
    known = None if digest is None else await context.jobs.find_by_key(owner, digest)
    if known is not None:
        return _accepted(request, known, context, {"Idempotent-Replayed": "true"})
    _check_declared_size(request, context.settings.max_job_bytes)
    context.store_watch.require_fit()
    await context.jobs.require_room(owner)
    upload = UploadRequest(owner, request.headers.get("content-type", ""), dict(request.query_params), digest)
    settings = context.settings
    bodies.stream(request.scope)
    body = BodyPull(request.stream(), max_bytes=settings.max_job_bytes, stall_s=settings.upload_stall_s)
    job_id = await context.jobs.submit(upload, body)
    return _accepted(request, await context.jobs.get(job_id, owner), context)


@router.post(
    "/jobs/preview",
    summary="How a file would be read",
    responses=schemas.error_replies(401, 403, 408, 413, 415, 422, 429, 503),
    openapi_extra=JOB_REQUEST,
)
async def preview_job(request: Request, owner: OwnerDep, context: ContextDep) -> Response:
    """Format, encoding, columns and first rows of a file, sent as to `POST /jobs`; its beginning is enough for csv, txt
    and jsonl. Nothing is kept.
    """
    upload = UploadRequest(owner, request.headers.get("content-type", ""), dict(request.query_params), None)
    pieces = stream_body(
        request, MAX_PREVIEW_BYTES, f"a preview takes {MAX_PREVIEW_BYTES:,} bytes; send the file's beginning"
    )
    body = BodyPull(pieces, max_bytes=MAX_PREVIEW_BYTES, stall_s=context.settings.upload_stall_s)
    preview = await context.jobs.preview(upload, body)
    return Response(msgspec.json.encode(preview), media_type="application/json")


@router.get(
    "/jobs",
    summary="Your jobs, newest first",
    response_model=JobPage,
    responses=schemas.error_replies(401, 403, 404, 422, 503),
)
async def list_jobs(
    request: Request,
    owner: OwnerDep,
    context: ContextDep,
    query: Annotated[JobsQuery, Query()],
) -> Response:
    """A page in OpenAI's form: `data`, `has_more`, `first_id`, `last_id`."""
    jobs, has_more = await context.jobs.page(owner, query.limit, query.after)
    page = {
        "object": "list",
        "data": [show_job(job, context.fleet.texts_per_s, root_path_of(request)) for job in jobs],
        "first_id": jobs[0].id if jobs else None,
        "last_id": jobs[-1].id if jobs else None,
        "has_more": has_more,
    }
    return Response(msgspec.json.encode(page), media_type="application/json")


@router.get(
    "/jobs/{job_id}",
    summary="How a job stands",
    response_model=JobOut,
    responses=schemas.error_replies(401, 403, 404, 422, 429, 503),
)
async def get_job(
    job_id: str, request: Request, owner: OwnerDep, context: ContextDep, query: Annotated[JobQuery, Query()]
) -> Response:
    """The job object; with `?wait=30` at its end, or as it is after 30 seconds."""
    job = await context.jobs.get(job_id, owner)
    return _respond(request, await wait_for_end(context.jobs, job, query.wait), context)


@router.get(
    "/jobs/{job_id}/events",
    summary="A job's progress as it goes",
    responses={**schemas.error_replies(401, 403, 404, 422, 429, 503), 200: EVENTS_REPLY},
)
async def job_events(job_id: str, request: Request, owner: OwnerDep, context: ContextDep) -> Response:
    """Server-sent events: `progress` with the job object each time it has changed, then one named for its end."""
    # Requests that come together share one lookup of the job. Without room they are refused before it.
    context.jobs.followers.require_room(owner)
    job = await context.jobs.glance(job_id, owner)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    events = progress_events(context.jobs, context.fleet, job, root_path_of(request))
    return PlacedResponse(context.jobs.followers, owner, events, "text/event-stream", headers)


@router.post(
    "/jobs/{job_id}/cancel",
    summary="Stop a job",
    response_model=JobOut,
    responses=schemas.error_replies(401, 403, 404, 409, 422, 503),
)
async def cancel_job(job_id: str, request: Request, owner: OwnerDep, context: ContextDep) -> Response:
    """What is done is kept; chunks in hand are finished first, so the state may be `cancelling` for a moment."""
    return _respond(request, await context.jobs.cancel(job_id, owner), context)


@router.delete(
    "/jobs/{job_id}", summary="Delete a job for good", responses=schemas.error_replies(401, 403, 404, 422, 503)
)
async def delete_job(job_id: str, caller: CallerDep, context: ContextDep) -> JobDeleted:
    """Delete input and results, even while the job runs."""
    await context.jobs.delete(job_id, caller.owner)
    await context.audit.note(caller, "job.deleted", job_id)
    return JobDeleted(id=job_id, object="job", deleted=True)


@router.get(
    "/jobs/{job_id}/results",
    summary="The results",
    responses={**schemas.error_replies(401, 403, 404, 409, 415, 422, 429, 503), 200: FILE_REPLY},
)
async def job_results(
    job_id: str, owner: OwnerDep, context: ContextDep, query: Annotated[ResultsQuery, Query()]
) -> Response:
    """Every row once, in input order, with your own columns: `?format=jsonl|csv|tsv|xlsx|parquet`.

    `cursor=N` starts after row N, `before=N` ends before row N, `limit=N` ends after N rows; with `last=true` it gives
    the last N. `only=errors` selects rows without a verdict, `partial=true` gives what is done of a job that still
    runs, `safe=true` defuses formulas in csv and tsv.
    """
    return await _results(await context.jobs.get(job_id, owner), query, context)


@router.get(
    "/jobs/{job_id}/errors",
    summary="The rows without a verdict",
    responses={**schemas.error_replies(401, 403, 404, 409, 415, 422, 429, 503), 200: FILE_REPLY},
)
async def job_errors(
    job_id: str, owner: OwnerDep, context: ContextDep, query: Annotated[ErrorsQuery, Query()]
) -> Response:
    """As the results with `only=errors`: each with its line and its reason."""
    return await _results(await context.jobs.get(job_id, owner), query, context)


async def _results(job: Job, query: ResultsQuery, context: Context) -> Response:
    if not job.has_ended and not query.partial:
        raise ConflictError(
            f"the job is {job.status}: {job.completed + job.failed:,} of {job.total:,} rows are done; "
            "wait for its end, or get the finished rows with partial=true",
            code="results_not_ready",
        )
    file_format = query.format or (job.spec.format if job.spec.format in _TABLES and query.own_columns else "jsonl")
    if not query.own_columns and file_format != "jsonl":
        raise MalformedRequestError("own_columns=false is for format=jsonl", param="own_columns")
    if query.last and not 1 <= (query.limit or 0) <= MAX_LAST_ROWS:
        raise MalformedRequestError(f"last=true takes a limit of 1 to {MAX_LAST_ROWS:,}", param="last")
    what = query.only or "results"
    headers = {
        "Content-Disposition": content_disposition(job, what, file_format),
        "X-Results-Partial": "true" if is_partial(job) else "false",
        "X-Total-Rows": str(job.total),
        "Accept-Ranges": "none",
    }
    selection = Selection(
        query.cursor,
        query.limit,
        query.only,
        query.label,
        query.contains,
        query.min_confidence,
        query.max_confidence,
        query.before,
        query.last,
    )
    if file_format in MEDIA_TYPES:
        with context.jobs.downloads.held(job.owner):
            return await file_response(context.jobs, job, file_format, selection, headers)
    context.jobs.downloads.require_room(job.owner)
    renderer = VerdictLines() if not query.own_columns else _renderer(job, file_format, is_safe=query.safe)
    stream = ResultStream(context.jobs, job, renderer, selection)
    return PlacedResponse(context.jobs.downloads, job.owner, stream.pieces(), renderer.media_type, headers)


def _renderer(job: Job, file_format: str, *, is_safe: bool) -> Renderer:
    if file_format == "jsonl":
        return JsonLines(job)
    return Table(job, "\t" if file_format == "tsv" else ",", is_safe=is_safe)


def _accepted(request: Request, job: Job, context: Context, headers: Mapping[str, str] | None = None) -> Response:
    response = _respond(request, job, context)
    response.status_code = 202
    response.headers.update({"Location": f"{root_path_of(request)}/jobs/{job.id}", **(headers or {})})
    return response


def _respond(request: Request, job: Job, context: Context) -> Response:
    body = msgspec.json.encode(show_job(job, context.fleet.texts_per_s, root_path_of(request)))
    return Response(body, media_type="application/json")


def _idempotency_digest(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    if not 1 <= len(key) <= MAX_KEY_CHARS:
        raise MalformedRequestError(f"Idempotency-Key takes 1 to {MAX_KEY_CHARS} characters")
    return hashlib.sha256(key.encode()).hexdigest()


def _check_declared_size(request: Request, max_bytes: int) -> None:
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > max_bytes:
        raise TooLargeError(f"the upload is larger than {max_bytes:,} bytes (MAX_JOB_BYTES); split it")
