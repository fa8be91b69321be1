"""Reads, cancels and deletes jobs that the store holds, and reads their results."""

import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from redis import Redis
from redis.exceptions import ResponseError

from api.jobs.pacing import average_speed
from shared import keys
from shared.errors import ConflictError, NotFoundError
from shared.jobs import journal
from shared.jobs.ledger import LABEL_FIELD
from shared.jobs.records import ENDED, JOB_TIMES, Job, JobSpec, Webhook, is_job_id
from shared.jobs.scripts import Scripts
from shared.settings import Settings

# The sets that list jobs, in the order in which the scripts take them.
INDEX_KEYS = [keys.JOB_TURNS, keys.JOBS_OPEN, keys.JOB_WEBHOOKS]
# An id that is none of ours may be of any length.
MAX_SHOWN_CHARS = 40


class JobStore:
    """Thread-safe and blocking. Every method raises `redis.RedisError` when Redis does not answer."""

    def __init__(self, redis: Redis, settings: Settings) -> None:
        self._redis = redis
        self._settings = settings
        self._scripts = Scripts(redis)

    def get(self, job_id: str, owner: str) -> Job:
        """One job.

        Raises:
            NotFoundError: no job has this id, or it belongs to another owner.
        """
        if not is_job_id(job_id):
            raise _no_job(job_id)
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.hgetall(keys.job_part(job_id, ""))
            pipeline.lrange(keys.job_part(job_id, ":errors"), 0, -1)
            pipeline.lrange(keys.job_part(job_id, ":pace"), 0, -1)
            raw_fields, errors, pace = pipeline.execute()
        fields = {name.decode(): value.decode() for name, value in raw_fields.items()}
        if fields.get("owner") != owner or fields["status"] == "validating":
            raise _no_job(job_id)
        return _job(job_id, fields, errors, pace)

    def page(self, owner: str, limit: int, after: str | None) -> tuple[list[Job], bool]:
        """Up to `limit` jobs of an owner, newest first, starting after the job `after`; and whether more follow.

        Raises:
            NotFoundError: there is no job `after`.
        """
        index = keys.jobs_of(owner)
        start = 0
        if after is not None:
            rank: Any = self._redis.zrevrank(index, after) if is_job_id(after) else None
            if rank is None:
                raise NotFoundError(f"there is no job {after[:MAX_SHOWN_CHARS]} to continue after", param="after")
            start = rank + 1
        jobs: list[Job] = []
        expired: list[str] = []
        for job_id in self._ids(index, start):
            try:
                jobs.append(self.get(job_id, owner))
            except NotFoundError:
                expired.append(job_id)
            if len(jobs) > limit:
                break
        if expired:
            # Last, because removing an id shifts the ranks of those behind it.
            # A store that takes no writes can be read all the same.
            with contextlib.suppress(ResponseError):
                self._redis.zrem(index, *expired)
        return jobs[:limit], len(jobs) > limit

    def cancel(self, job_id: str, owner: str) -> Job:
        """Stop handing out chunks; those that workers hold may finish.

        Raises:
            NotFoundError: as `get`.
            ConflictError: it has already ended in another state.
        """
        job = self.get(job_id, owner)
        if job.has_ended and job.status != "cancelled":
            raise ConflictError(f"the job is {job.status} and can no longer be cancelled", code="job_ended")
        is_new, ended = self._scripts.run("cancel", INDEX_KEYS, [keys.JOB, job_id, self._settings.result_ttl_s])
        if is_new:
            journal.note_cancelling(job_id)
        journal.note_ended(ended)
        return self.get(job_id, owner)

    def delete(self, job_id: str, owner: str) -> None:
        """Remove every trace of a job; does nothing if there is none."""
        if self._scripts.run("delete", [*INDEX_KEYS, keys.jobs_of(owner)], [keys.JOB, job_id]):
            journal.note_deleted(job_id)

    def result_starts(self, job_id: str) -> list[int]:
        """First rows of the chunks that have a result, in order."""
        raw: Any = self._redis.hkeys(keys.job_part(job_id, ":results"))
        return sorted(map(int, raw))

    def result_chunk(self, job_id: str, first_row: int) -> bytes | None:
        """The packed result of one chunk; None if the job was deleted meanwhile."""
        found: bytes | None = self._redis.hget(keys.job_part(job_id, ":results"), str(first_row))  # type: ignore[assignment]  # redis-py types it as text
        return found

    def _ids(self, index: str, start: int, page: int = 50) -> Iterator[str]:
        ids: Any = self._redis.zrevrange(index, start, start + page)
        while ids:
            yield from (job_id.decode() for job_id in ids)
            start += page + 1
            ids = self._redis.zrevrange(index, start, start + page)


def _no_job(job_id: str) -> NotFoundError:
    return NotFoundError(f"there is no job {job_id[:MAX_SHOWN_CHARS]}; it may have expired", param="job_id")


def _job(job_id: str, fields: dict[str, str], errors: Sequence[bytes], pace: Sequence[bytes]) -> Job:
    return Job(
        id=job_id,
        owner=fields["owner"],
        status=fields["status"],  # type: ignore[arg-type]  # written by the scripts alone
        spec=msgspec.json.decode(fields["spec"], type=JobSpec),
        total=int(fields["total"]),
        completed=int(fields.get("completed", 0)),
        failed=int(fields.get("failed", 0)),
        label_counts={
            name.removeprefix(LABEL_FIELD): int(count)
            for name, count in sorted(fields.items())
            if name.startswith(LABEL_FIELD)
        },
        label_names=msgspec.json.decode(fields.get("label_names", "[]")),
        times={name: int(fields[name]) for name in JOB_TIMES if name in fields},
        errors=[msgspec.json.decode(error) for error in errors],
        corrected=int(fields.get("corrected", 0)),
        rows_per_s=average_speed(fields, pace, time.time()),
        webhook=_webhook(fields),
    )


def _webhook(fields: dict[str, str]) -> Webhook | None:
    if "webhook" not in fields:
        return None
    next_at = fields.get("webhook_next_at")
    unsettled = "pending" if fields["status"] in ENDED else "waiting"
    return Webhook(
        status=fields.get("webhook_state", unsettled),  # type: ignore[arg-type]  # written by the scripts alone
        attempts=int(fields.get("webhook_attempts", 0)),
        last_error=fields.get("webhook_error") or None,
        next_attempt_at=None if next_at is None else int(next_at),
    )
