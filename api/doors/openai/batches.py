"""`/v1/batches`: a face on jobs. A batch is a job whose rows are the lines of a file of requests for moderation."""

import secrets
import time
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request

from api.context import Context, ContextDep
from api.doors.bodies import convert
from api.doors.openai.batch_lines import ENDPOINT, ID_COLUMN, TEXT_COLUMN, BatchInput, BatchRows, check_lines, fault
from api.doors.openai.errors import OpenAiRoute
from api.doors.openai.files import ERRORS, JOB, OUTPUT, read_record, show_page
from api.doors.openai.models import known_models
from api.http.auth import OwnerDep
from api.http.body import read_json_object
from api.jobs.view import is_partial
from api.uploads.opening import UploadRequest
from api.uploads.options import check_metadata
from api.uploads.pull import BodyPull
from shared.errors import ConflictError, MalformedRequestError, NotFoundError
from shared.jobs.records import JOB_TIMES, Job

router = APIRouter(route_class=OpenAiRoute, include_in_schema=False)

COMPLETION_WINDOW = "24h"
MAX_PAGE = 100
# All that `metadata` may hold, with each character escaped, has half of it.
MAX_REQUEST_BYTES = 256 * 1024
_TOO_LARGE = (
    f"the body is larger than {MAX_REQUEST_BYTES:,} bytes; a batch names its file, and metadata has 16 short entries "
    "at most"
)


class BatchRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a new batch; `strictness` and `thresholds` are ours."""

    input_file_id: str
    endpoint: str = ENDPOINT
    completion_window: str = COMPLETION_WINDOW
    metadata: dict[str, str] | None = None
    output_expires_after: Any = None
    strictness: Any = None
    thresholds: Any = None


class BatchRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a batch besides its job. A batch whose file is faulty has no job. Times are Unix seconds."""

    id: str
    created_at: int
    input_file_id: str
    metadata: dict[str, str] | None = None
    job_id: str | None = None
    faults: list[dict[str, Any]] = []


@router.post("/v1/batches")
async def create_batch(request: Request, owner: OwnerDep, context: ContextDep) -> dict[str, Any]:
    """Make a job of an input file; a faulty file makes a failed batch that lists its faults."""
    asked = convert(await read_json_object(request, MAX_REQUEST_BYTES, refusal=_TOO_LARGE), BatchRequest)
    if asked.endpoint != ENDPOINT:
        raise MalformedRequestError(f"endpoint must be {ENDPOINT}", param="endpoint")
    if asked.completion_window != COMPLETION_WINDOW:
        raise MalformedRequestError(f"completion_window must be {COMPLETION_WINDOW}", param="completion_window")
    check_metadata(asked.metadata or {})
    await context.jobs.require_memory(owner)
    await context.records.require_room("batches", owner)
    with context.jobs.inputs.held(owner):
        await read_record(asked.input_file_id, owner, context)
        lines = _read(BodyPull, asked, owner, context)
        found = await context.jobs.run(check_lines, lines, frozenset(known_models(context.fleet)))
        job = await _submit(asked, found, owner, context)
    record = BatchRecord(
        id=f"batch_{secrets.token_hex(12)}",
        created_at=int(time.time()),
        input_file_id=asked.input_file_id,
        metadata=asked.metadata,
        job_id=None if job is None else job.id,
        faults=found.faults,
    )
    await context.records.put("batches", owner, record.id, msgspec.json.encode(record))
    return _show(record, job)


@router.get("/v1/batches")
async def list_batches(
    owner: OwnerDep,
    context: ContextDep,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 20,
    after: Annotated[str | None, Query()] = None,
) -> dict[str, Any]:
    """The batches, newest first."""
    heads, has_more = await context.records.page("batches", owner, limit, after)
    shown = []
    for head in heads:
        record = msgspec.json.decode(head, type=BatchRecord)
        try:
            shown.append(_show(record, await _job_of(record, owner, context)))
        except NotFoundError:
            continue
    return show_page(shown, has_more=has_more)


@router.get("/v1/batches/{batch_id}")
async def get_batch(batch_id: str, owner: OwnerDep, context: ContextDep) -> dict[str, Any]:
    """How a batch stands."""
    record = await _read_batch(batch_id, owner, context)
    return _show(record, await _job_of(record, owner, context))


@router.post("/v1/batches/{batch_id}/cancel")
async def cancel_batch(batch_id: str, owner: OwnerDep, context: ContextDep) -> dict[str, Any]:
    """Stop a batch; its files have what is done."""
    record = await _read_batch(batch_id, owner, context)
    if record.job_id is None:
        raise ConflictError("the batch has failed and can no longer be cancelled", code="batch_ended")
    return _show(record, await context.jobs.cancel(record.job_id, owner))


async def _submit(asked: BatchRequest, found: BatchInput, owner: str, context: Context) -> Job | None:
    """Make the job; None where the file is faulty, which is then among the faults.

    Raises:
        OverloadedError, UnavailableError, RequestError: as for an upload to `/jobs`.
    """
    if found.usable == 0 and not found.faults:
        found.faults.append(fault("invalid_input", "no line has a text that can be judged", None))
    if found.faults:
        return None
    context.store_watch.require_fit()
    await context.jobs.require_room(owner)
    file = await read_record(asked.input_file_id, owner, context)
    options = {
        "format": "jsonl",
        "file_name": file.filename,
        "id_column": ID_COLUMN,
        "text_column": TEXT_COLUMN,
        "metadata": msgspec.json.encode(asked.metadata or {}).decode(),
        "strictness": asked.strictness,
        "thresholds": asked.thresholds,
    }
    body = _read(BatchRows, asked, owner, context)
    job_id = await context.jobs.submit(UploadRequest(owner, "application/x-ndjson", options, None), body)
    return await context.jobs.get(job_id, owner)


def _read(kind: type[BodyPull], asked: BatchRequest, owner: str, context: Context) -> BodyPull:
    """The packed input file of a batch, for a thread to read."""
    settings = context.settings
    parts = context.records.parts("files", owner, asked.input_file_id)
    return kind(parts, max_bytes=settings.max_job_bytes, stall_s=settings.upload_stall_s)


async def _read_batch(batch_id: str, owner: str, context: Context) -> BatchRecord:
    return msgspec.json.decode(await context.records.head("batches", owner, batch_id), type=BatchRecord)


async def _job_of(record: BatchRecord, owner: str, context: Context) -> Job | None:
    return None if record.job_id is None else await context.jobs.get(record.job_id, owner)


def _show(record: BatchRecord, job: Job | None) -> dict[str, Any]:
    common = {
        "id": record.id,
        "object": "batch",
        "endpoint": ENDPOINT,
        "completion_window": COMPLETION_WINDOW,
        "input_file_id": record.input_file_id,
        "metadata": record.metadata,
    }
    return common | (_show_failed(record) if job is None else _show_job(job))


def _show_failed(record: BatchRecord) -> dict[str, Any]:
    return {
        "status": "failed",
        "created_at": record.created_at,
        "failed_at": record.created_at,
        "errors": {"object": "list", "data": record.faults},
        "output_file_id": None,
        "error_file_id": None,
        "request_counts": {"total": 0, "completed": 0, "failed": 0},
    }


def _show_job(job: Job) -> dict[str, Any]:
    number = job.id.removeprefix(JOB)
    return {
        "status": job.status,
        "errors": None,
        "output_file_id": f"{OUTPUT}{number}" if job.has_ended and job.completed else None,
        "error_file_id": f"{ERRORS}{number}" if job.has_ended and job.failed else None,
        "request_counts": {"total": job.total, "completed": job.completed, "failed": job.failed},
        **{name: job.times.get(name) for name in JOB_TIMES},
        "job_id": job.id,
        "results_partial": is_partial(job),
    }
