"""Stores the rows of an upload as chunks, and makes a job of them when the last one is there.

Runs in a thread of its own: parsing is work for the processor, and the event loop must go on answering `/predict`.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from api.store.catalogue import Catalogue
from api.uploads.sources import Source
from shared.errors import MalformedRequestError, TooLargeError
from shared.jobs.packing import pack_rows
from shared.jobs.records import JobSpec, Row
from shared.settings import Settings

# What a verdict adds to the store for each row, packed (docs/jobs.md says how it was measured).
RESULT_BYTES_PER_ROW = 32
# The store's room is looked at again after so many chunks.
ROOM_CHECK_CHUNKS = 64
# After each chunk the thread lets others run, or they would wait for Python's lock for 5 ms each time they need it.
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


class Intake:
    """Thread-safe and blocking."""

    def __init__(self, catalogue: Catalogue, settings: Settings) -> None:
        self._catalogue = catalogue
        self._settings = settings

    def store(self, job_id: str, source: Source) -> int:
        """Write all chunks of upload `job_id`; returns the number of rows.

        Raises:
            MalformedRequestError: no row is usable.
            TooLargeError: too many rows.
            OverloadedError: the store fills up.
        """
        counts = _Counts()
        for number, rows in enumerate(self._chunks(source.rows, counts), start=1):
            self._catalogue.append(job_id, counts.rows - len(rows), pack_rows(rows))
            if number % ROOM_CHECK_CHUNKS == 0:
                self._catalogue.require_memory(RESULT_BYTES_PER_ROW)
            time.sleep(PAUSE_S)
        if not counts.usable:
            raise MalformedRequestError(f"the file has no usable row: {counts.first_fault}")
        return counts.rows

    def commit(self, job_id: str, owner: str, spec: JobSpec, total: int, idempotency_digest: str | None) -> str:
        """Make the job real; returns its id, or that of an earlier job under the same Idempotency-Key."""
        committed = self._catalogue.commit(job_id, owner, spec, total, idempotency_digest)
        if committed != job_id:
            self._catalogue.abort(job_id, owner)
        return committed

    def _chunks(self, rows: Iterator[Row], counts: _Counts) -> Iterator[list[Row]]:
        """Rows in groups that are bounded by number and by size; `counts` includes the group that is out."""
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
