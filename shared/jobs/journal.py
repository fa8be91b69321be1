"""Writes the log lines of a job's life: one for each event, with the job's id, and never a text.

Both processes write them, whichever caused the event: a worker completes a job, a sweep in either one expires it.
"""

from collections.abc import Sequence
from typing import Any

from shared.jobs.records import JobSpec
from shared.log import get_logger

log = get_logger(__name__)


def note_accepted(job_id: str, spec: JobSpec, rows: int) -> None:
    """Log that a job was accepted and is durable."""
    log.info("job_accepted", job_id=job_id, rows=rows, format=spec.format, bytes=spec.bytes)


def note_cancelling(job_id: str) -> None:
    """Log that a job is being cancelled; chunks that workers hold may finish."""
    log.info("job_cancelling", job_id=job_id)


def note_deleted(job_id: str) -> None:
    """Log that a job was deleted."""
    log.info("job_deleted", job_id=job_id)


def note_ended(ended: Sequence[Sequence[Any]]) -> None:
    """Log `job_completed`, `job_cancelled` or `job_expired` for each job that a script has just ended."""
    for job_id, status, rows, completed, failed in ended:
        counts = {"rows": int(rows), "rows_completed": int(completed), "rows_failed": int(failed)}
        event = f"job_{status.decode()}"
        log.info(event, job_id=job_id.decode(), **counts)


def note_reopened(opened: Sequence[Sequence[Any]]) -> int:
    """Log the chunks that were reopened after their worker died or lost them; returns how many."""
    for job_id, chunks in opened:
        log.warning("chunks_reopened", job_id=job_id.decode(), chunks=chunks)
    return sum(chunks for _, chunks in opened)


def note_retried(job_id: str, first_row: int, attempt: int) -> None:
    """Log that a worker retries a chunk that another worker did not finish."""
    log.warning("chunk_retried", job_id=job_id, first_row=first_row, attempt=attempt)


def note_halved(job_id: str, first_row: int, rows: int) -> None:
    """Log that a chunk is halved because every worker that took it died; one of its rows may be the cause."""
    log.warning("chunk_halved", job_id=job_id, first_row=first_row, rows=rows)


def note_given_up(job_id: str, row: int, attempts: int) -> None:
    """Log that a row is given up because its worker died each time. `row` counts from 1, as in the results."""
    log.warning("row_given_up", job_id=job_id, row=row, attempts=attempts)
