"""When a job will end, as far as can be told."""

from shared.jobs.records import Job


def eta_seconds(job: Job, fleet_texts_per_s: float) -> int | None:
    """Seconds to go: by the job's own recent speed, which has other jobs and interactive texts in it; at first by what
    the workers can do at best; 0 at the end; None when nobody can tell.
    """
    if job.has_ended:
        return 0
    speed = job.rows_per_s or fleet_texts_per_s
    return round(job.remaining / speed) if speed else None
