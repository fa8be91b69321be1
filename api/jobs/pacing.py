"""How fast a job goes, and when it will end."""

from collections.abc import Sequence

from shared.jobs.records import ENDED, Job

# After this many missed chunks a job counts as stalled.
SILENT_CHUNKS = 5
# Of less time no speed is told: a job's first chunks, which several threads began together, also end together.
LEAST_MS = 1_000


def eta_seconds(job: Job, fleet_texts_per_s: float) -> int | None:
    """Seconds until the job ends; 0 once it has ended, None if that is unknown.

    Uses the job's own recent speed, which other jobs and interactive texts slow down, and before there is one the
    highest speed of the workers.
    """
    if job.has_ended:
        return 0
    speed = job.rows_per_s or fleet_texts_per_s
    return round(job.remaining / speed) if speed else None


def average_speed(fields: dict[str, str], pace: Sequence[bytes], now_s: float) -> float | None:
    """Rows per second: over the whole job once it has ended, else over its last chunks."""
    started = int(fields["in_progress_at"])
    ended = next((int(fields[f"{status}_at"]) for status in ENDED if f"{status}_at" in fields), None)
    if ended is not None:
        done = int(fields.get("completed", 0)) + int(fields.get("failed", 0))
        return round(done / max(1, ended - started), 1)
    return recent_speed([tuple(map(int, entry.split(b":"))) for entry in pace], int(now_s * 1000))


def recent_speed(pace: Sequence[tuple[int, ...]], now_ms: int) -> float | None:
    """Rows per second from (finish time in ms, rows) of the last chunks, newest first.

    The oldest chunk only marks the start; None if the others took less than a second. A pause longer than a few chunks
    take counts too, so that a stalled job does not look as if it were running.
    """
    if len(pace) < 2:
        return None
    worked_ms = pace[0][0] - pace[-1][0]
    silence_ms = now_ms - pace[0][0]
    if silence_ms > SILENT_CHUNKS * worked_ms / (len(pace) - 1):
        worked_ms += silence_ms
    if worked_ms < LEAST_MS:
        return None
    return round(1000 * sum(rows for _, rows in pace[:-1]) / worked_ms, 1)
