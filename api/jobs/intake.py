"""Turns one upload into a job: check its options, store its rows in chunks, commit.

Blocking: runs in a thread, because parsing keeps the processor busy and the event loop must go on answering `/predict`.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

from redis.exceptions import RedisError

from api.http.caller import current_caller
from api.jobs.capacity import StoreCapacity
from api.jobs.options import OptionsCheck
from api.jobs.shared_work import SharedWork
from api.jobs.writer import JobWriter
from api.uploads.opening import Opened, UploadOpener, UploadRequest
from api.uploads.options import UploadOptions
from api.uploads.pull import Body
from shared.errors import MalformedRequestError, TooLargeError
from shared.jobs.packing import pack_rows
from shared.jobs.records import JobSpec, Row
from shared.log import get_logger
from shared.options import VerdictOptions
from shared.settings import Settings

log = get_logger(__name__)

# The free room of the store is checked again after this many chunks, or this many bytes of them.
CAPACITY_CHECK_CHUNKS = 64
CAPACITY_CHECK_BYTES = 1 << 20
# Sleep after each chunk: a thread that wants Python's lock would otherwise wait up to 5 ms for it.
PAUSE_S = 0.0005


@dataclass
class _Counts:
    rows: int = 0
    usable: int = 0
    first_fault: str = field(default="it has no rows")

    def add(self, row: Row) -> None:
        self.rows += 1
        if row.error is None:
            self.usable += 1
        elif self.rows == 1:
            self.first_fault = row.error.message


class JobIntake:
    """Thread-safe and blocking."""

    def __init__(
        self,
        settings: Settings,
        writer: JobWriter,
        capacity: StoreCapacity,
        options_check: OptionsCheck,
    ) -> None:
        self._settings = settings
        self._writer = writer
        self._capacity = capacity
        self._options_check = options_check
        self._work = SharedWork()

    def receive(self, request: UploadRequest, body: Body) -> str:
        """Read the body and return the id of the job; if anything fails, nothing is left of it in the store.

        Raises:
            RequestError: the upload is refused.
            RedisError: the store does not answer.
        """
        opener = UploadOpener(self._settings, partial(self._options_check.check, request.owner))
        upload = opener.open(request, body)
        try:
            return self._store(request, upload, body)
        finally:
            upload.source.close()

    def _store(self, request: UploadRequest, upload: Opened, body: Body) -> str:
        job_id = self._writer.begin(request.owner)
        try:
            total = self._store_rows(job_id, request.owner, upload.source.rows)
            options = upload.final_options()
            spec = _describe(upload, body, options, self._options_check.begin(options))
            committed = self._writer.commit(job_id, request.owner, spec, total, request.idempotency_digest)
        except BaseException:
            self._discard(job_id, request.owner)
            raise
        if committed != job_id:
            self._discard(job_id, request.owner)
        return committed

    def _store_rows(self, job_id: str, owner: str, rows: Iterator[Row]) -> int:
        """Write all chunks; returns the number of rows.

        Raises:
            MalformedRequestError: no row is usable, or the client has left.
            TooLargeError: too many rows.
            OverloadedError: the store fills up, or this owner's part of it.
        """
        counts = _Counts()
        unchecked_chunks = unchecked_bytes = 0
        client = current_caller().presence
        share = self._work.begin()
        for chunk in self._chunks(rows, counts):
            if client.is_lost:
                # Nobody would learn the job's id, and a million rows of a body that has all come take a minute.
                raise MalformedRequestError("the client left before its rows were stored")
            packed = pack_rows(chunk)
            self._writer.append(job_id, counts.rows - len(chunk), packed)
            unchecked_chunks, unchecked_bytes = unchecked_chunks + 1, unchecked_bytes + len(packed)
            if unchecked_chunks >= CAPACITY_CHECK_CHUNKS or unchecked_bytes >= CAPACITY_CHECK_BYTES:
                self._capacity.require_memory(owner, job_id)
                unchecked_chunks = unchecked_bytes = 0
            time.sleep(PAUSE_S + share.pause_s())
        if not counts.usable:
            raise MalformedRequestError(f"the file has no usable row: {counts.first_fault}")
        return counts.rows

    def _chunks(self, rows: Iterator[Row], counts: _Counts) -> Iterator[list[Row]]:
        """Group the rows, bounded by number and by size; `counts` includes the group just yielded."""
        chunk: list[Row] = []
        chars = 0
        for row in rows:
            counts.add(row)
            if counts.rows > self._settings.max_job_rows:
                raise TooLargeError(f"the file has more than {self._settings.max_job_rows:,} rows (MAX_JOB_ROWS)")
            chunk.append(row)
            chars += len(row.text or "") + len(memoryview(row.fields))
            if len(chunk) >= self._settings.job_chunk_rows or chars >= self._settings.job_chunk_chars:
                yield chunk
                chunk, chars = [], 0
        if chunk:
            yield chunk

    def _discard(self, job_id: str, owner: str) -> None:
        try:
            self._writer.discard(job_id, owner)
        except RedisError:
            log.info("upload_left_to_expire", job_id=job_id)


def _describe(upload: Opened, body: Body, options: UploadOptions, judged_by: VerdictOptions | None) -> JobSpec:
    """What is known of the upload once all its rows are read."""
    return JobSpec(
        file_name=upload.file_name,
        metadata=options.metadata,
        webhook_url=options.webhook_url,
        bytes=body.received_bytes,
        options=judged_by,
        **{"format": upload.format, **upload.source.describe()},
    )
