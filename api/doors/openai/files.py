"""`/v1/files`: input files of batches, which are kept; output and error files, which are made of a job's results."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request, Response

from api.context import Context, ContextDep
from api.doors.openai.batch_lines import BatchLines
from api.doors.openai.errors import OpenAiRoute
from api.doors.openai.packing import Unpacking, packed
from api.http.auth import OwnerDep
from api.http.body import stream_body
from api.jobs.placed_response import PlacedResponse
from api.jobs.results import ResultStream, Selection
from api.uploads.multipart import Form
from api.uploads.pull import Body, BodyPull
from shared.errors import ConflictError, MalformedRequestError, NotFoundError, UnsupportedMediaError
from shared.jobs.records import Job

router = APIRouter(route_class=OpenAiRoute, include_in_schema=False)

PURPOSE = "batch"
MAX_PAGE = 10_000
# What the output and the error file of a job are called: this, and the job's number.
OUTPUT, ERRORS = "file-output-", "file-errors-"
JOB = "job_"


class FileRecord(msgspec.Struct, frozen=True):
    """What is known of an input file. `created_at` is in Unix seconds."""

    id: str
    bytes: int
    created_at: int
    filename: str


@router.post("/v1/files")
async def upload_file(request: Request, owner: OwnerDep, context: ContextDep) -> dict[str, Any]:
    """Keep an input file until a batch is made of it."""
    content_type = request.headers.get("content-type", "")
    if not content_type.lower().startswith("multipart/form-data"):
        raise UnsupportedMediaError("send the file in a multipart form: -F purpose=batch -F file=@requests.jsonl")
    await context.jobs.require_room(owner)
    await context.records.require_room("files", owner)
    settings = context.settings
    refusal = f"the body is larger than {settings.max_body_bytes:,} bytes (MAX_BODY_BYTES); send it in parts"
    pieces = stream_body(request, settings.max_body_bytes, refusal)
    body = BodyPull(pieces, max_bytes=settings.max_body_bytes, stall_s=settings.upload_stall_s)
    file_id = f"file-{secrets.token_hex(12)}"
    loop = asyncio.get_running_loop()
    packed_bytes = 0

    def keep(place: int, part: bytes) -> None:
        nonlocal packed_bytes
        packed_bytes += len(part)
        put = context.records.put_part("files", owner, file_id, place, part)
        asyncio.run_coroutine_threadsafe(put, loop).result()

    try:
        name, size = await context.jobs.read_body(body, _keep_file, body, content_type, keep)
        # Again: others have come in meanwhile.
        await context.jobs.require_memory(owner)
        record = FileRecord(file_id, size, int(time.time()), name)
        await context.records.put("files", owner, file_id, msgspec.json.encode(record), packed_bytes)
    except BaseException:
        await context.records.discard("files", owner, file_id)
        raise
    return _show(record)


@router.get("/v1/files")
async def list_files(
    owner: OwnerDep,
    context: ContextDep,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = MAX_PAGE,
    after: Annotated[str | None, Query()] = None,
) -> dict[str, Any]:
    """The input files, newest first. Output and error files are those of batches, and not listed."""
    heads, has_more = await context.records.page("files", owner, limit, after)
    shown = [_show(msgspec.json.decode(head, type=FileRecord)) for head in heads]
    return show_page(shown, has_more=has_more)


@router.get("/v1/files/{file_id}")
async def get_file(file_id: str, owner: OwnerDep, context: ContextDep) -> dict[str, Any]:
    """What is known of a file."""
    if not file_id.startswith((OUTPUT, ERRORS)):
        return _show(await read_record(file_id, owner, context))
    job = await _job_of(file_id, owner, context)
    with context.jobs.downloads.held(owner):
        size = sum([len(piece) async for piece in _pieces(file_id, job, context)])
    return _show(FileRecord(file_id, size, job.times["created_at"], f"{file_id}.jsonl"), "batch_output")


@router.get("/v1/files/{file_id}/content")
async def get_content(file_id: str, owner: OwnerDep, context: ContextDep) -> Response:
    """The lines of a file."""
    media_type = BatchLines.media_type
    if not file_id.startswith((OUTPUT, ERRORS)):
        await read_record(file_id, owner, context)
        context.jobs.downloads.require_room(owner)
        return PlacedResponse(context.jobs.downloads, owner, _file_pieces(file_id, owner, context), media_type)
    job = await _job_of(file_id, owner, context)
    context.jobs.downloads.require_room(owner)
    return PlacedResponse(context.jobs.downloads, owner, _pieces(file_id, job, context), media_type)


@router.delete("/v1/files/{file_id}")
async def delete_file(file_id: str, owner: OwnerDep, context: ContextDep) -> dict[str, Any]:
    """Forget an input file. A batch that was made of it goes on."""
    if file_id.startswith((OUTPUT, ERRORS)):
        job = await _job_of(file_id, owner, context)
        raise ConflictError(f"this file is made of the results of a job; DELETE /jobs/{job.id}", code="file_in_use")
    await context.records.delete("files", owner, file_id)
    return {"id": file_id, "object": "file", "deleted": True}


async def read_record(file_id: str, owner: str, context: Context) -> FileRecord:
    """The record of an input file.

    Raises:
        NotFoundError: there is none with this id, or it belongs to another owner.
    """
    return msgspec.json.decode(await context.records.head("files", owner, file_id), type=FileRecord)


async def _file_pieces(file_id: str, owner: str, context: Context) -> AsyncIterator[bytes]:
    """An input file piece by piece: 8 MB for each of many callers would be too much."""
    unpacking = Unpacking()
    async for part in context.records.parts("files", owner, file_id):
        for piece in unpacking.feed(part):
            yield piece
            await asyncio.sleep(0)
    unpacking.end()


def show_page(shown: list[dict[str, Any]], *, has_more: bool) -> dict[str, Any]:
    """A page of a list, as OpenAI has it."""
    return {
        "object": "list",
        "data": shown,
        "first_id": shown[0]["id"] if shown else None,
        "last_id": shown[-1]["id"] if shown else None,
        "has_more": has_more,
    }


def _keep_file(body: Body, content_type: str, keep: Callable[[int, bytes], None]) -> tuple[str, int]:
    """Name and size of the form's file; `keep` gets its packed parts as they come.

    Raises:
        MalformedRequestError: the form is malformed, has no file, or its purpose is another.
    """
    form = Form(iter(body), content_type)
    form.read_head()
    size = 0

    def counted() -> Iterator[bytes]:
        nonlocal size
        for piece in form.file_pieces():
            size += len(piece)
            yield piece

    for place, part in enumerate(packed(counted())):
        keep(place, part)
    purpose = form.fields.get("purpose")
    if purpose != PURPOSE:
        raise MalformedRequestError(f"purpose must be {PURPOSE!r}, not {purpose!r}", param="purpose")
    return form.file_name or "requests.jsonl", size


async def _job_of(file_id: str, owner: str, context: Context) -> Job:
    number = file_id.removeprefix(OUTPUT).removeprefix(ERRORS)
    job = await context.jobs.get(f"{JOB}{number}", owner)
    if not job.has_ended:
        raise NotFoundError("the batch of this file has not ended yet; its object will name the file", param="file_id")
    return job


async def _pieces(file_id: str, job: Job, context: Context) -> AsyncIterator[bytes]:
    newest = max(context.fleet.workers, key=lambda worker: worker.started_at, default=None)
    model, clean = ("kobert", "clean") if newest is None else (newest.model.name, newest.model.clean_label)
    lines = BatchLines(job, model, clean, is_errors=file_id.startswith(ERRORS))
    async for piece in ResultStream(context.jobs, job, lines, Selection()).pieces():
        yield piece


def _show(record: FileRecord, purpose: str = PURPOSE) -> dict[str, Any]:
    return {"object": "file", "purpose": purpose, "status": "processed", **msgspec.structs.asdict(record)}
