"""Writes the log lines of a job's life: one for each event, with the job's id, and never a text.

Both processes write them, whichever caused the event: a worker completes a job, a sweep in either one expires it.
"""

from collections.abc import Sequence
from typing import Any

from shared.jobs.records import JobSpec
from shared.log import get_logger

log = get_logger(__name__)


def note_accepted(job_id: str, spec: JobSpec, rows: int) -> None:
    """The job is durable."""
    log.info("job_accepted", job_id=job_id, rows=rows, format=spec.format, bytes=spec.bytes)


def note_cancelling(job_id: str) -> None:
    """Somebody asked for its end; chunks in hand may finish first."""
    log.info("job_cancelling", job_id=job_id)


def note_deleted(job_id: str) -> None:
    """Nothing of it is left."""
    log.info("job_deleted", job_id=job_id)


def note_ended(ended: Sequence[Sequence[Any]]) -> None:
    """`job_completed`, `job_cancelled`, `job_expired`, for each job that a script of the ledger says it has ended."""
    for job_id, status, rows, completed, failed in ended:
        counts = {"rows": int(rows), "rows_completed": int(completed), "rows_failed": int(failed)}
        event = f"job_{status.decode()}"
        log.info(event, job_id=job_id.decode(), **counts)


def note_reopened(opened: Sequence[Sequence[Any]]) -> int:
    """Chunks that dead workers held, or that nobody had, are there to be taken again; returns how many."""
    for job_id, chunks in opened:
        log.warning("chunks_reopened", job_id=job_id.decode(), chunks=chunks)
    return sum(chunks for _, chunks in opened)


def note_retried(job_id: str, first_row: int, attempt: int) -> None:
    """A worker takes a chunk that another one did not finish."""
    log.warning("chunk_retried", job_id=job_id, first_row=first_row, attempt=attempt)


def note_halved(job_id: str, first_row: int, rows: int) -> None:
    """Every worker died that had this chunk: one of its rows may be the reason."""
    log.warning("chunk_halved", job_id=job_id, first_row=first_row, rows=rows)


def note_given_up(job_id: str, row: int, attempts: int) -> None:
    """A single row (from 1, as in the results) that killed its worker each time ends as failed."""
    log.warning("row_given_up", job_id=job_id, row=row, attempts=attempts)
