"""The API's side of the ledger: jobs are written, committed, read, cancelled and deleted here.

An upload writes its chunks under keys that expire minutes after the last of them; `commit` makes the job real in one
step. So an upload that breaks off leaves nothing behind.
"""

import secrets
import time
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from redis import Redis
from redis.exceptions import ResponseError

from shared import keys
from shared.errors import ConflictError, NotFoundError, OverloadedError, StoreUnavailableError
from shared.jobs import journal
from shared.jobs.ledger import LABEL_FIELD
from shared.jobs.records import ENDED, Job, JobSpec
from shared.jobs.scripts import Scripts
from shared.settings import Settings

UPLOAD_TTL_S = 600
# `appendfsync everysec` may take two when the disk is busy.
FSYNC_WAIT_MS = 2_000
SILENT_CHUNKS = 5
_KEYS = [keys.JOB_TURNS, keys.JOBS_OPEN, keys.JOB_WEBHOOKS]
_TIMES = ("created_at", "in_progress_at", "finalizing_at", "completed_at", "failed_at", "expired_at", "cancelling_at",
          "cancelled_at", "expires_at")  # fmt: skip


class Catalogue:
    """Thread-safe and blocking. Every method raises `redis.RedisError` when Redis does not answer."""

    def __init__(self, redis: Redis, settings: Settings) -> None:
        self._redis = redis
        self._settings = settings
        self._scripts = Scripts(redis)

    def begin(self, owner: str) -> str:
        """Reserve an id for an upload."""
        job_id = f"job_{secrets.token_hex(12)}"
        with self._redis.pipeline(transaction=True) as pipeline:
            fields: dict[Any, Any] = {"status": "validating", "owner": owner, "created_at": int(time.time())}
            pipeline.hset(keys.job_part(job_id, ""), mapping=fields)
            pipeline.expire(keys.job_part(job_id, ""), UPLOAD_TTL_S)
            pipeline.execute()
        return job_id

    def append(self, job_id: str, first_row: int, packed_rows: bytes) -> None:
        """Write one chunk of an upload."""
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.hset(keys.job_part(job_id, ":input"), str(first_row), packed_rows)
            pipeline.rpush(keys.job_part(job_id, ":open"), first_row)
            for part in ("", ":input", ":open"):
                pipeline.expire(keys.job_part(job_id, part), UPLOAD_TTL_S)
            pipeline.execute()

    def commit(self, job_id: str, owner: str, spec: JobSpec, total: int, idempotency_digest: str | None) -> str:
        """Make the job real and durable; returns its id, or that of the job that the same Idempotency-Key made.

        Raises:
            OverloadedError: too many jobs are open.
            StoreUnavailableError: the upload took so long that its first chunks expired.
        """
        fields = {"total": total, "spec": msgspec.json.encode(spec).decode()}
        if spec.webhook_url is not None:
            fields["webhook"] = spec.webhook_url
        idempotency = "" if idempotency_digest is None else keys.idempotency(owner, idempotency_digest)
        life_s = self._settings.max_job_age_s + self._settings.result_ttl_s
        limits = [self._settings.max_open_jobs, self._settings.max_job_age_s, life_s]
        all_keys = [*_KEYS, keys.JOB_TURN_COUNTER, keys.jobs_of(owner), idempotency]
        arguments = [keys.JOB, job_id, msgspec.json.encode(fields), *limits]
        # One connection for both: WAITAOF waits for what was written over its own.
        with self._redis.client() as connection:  # type: ignore[no-untyped-call]  # redis-py does not say what it returns
            answer = [part.decode() for part in Scripts(connection).run("commit", all_keys, arguments)]
            _wait_until_on_disk(connection)
        if answer[0] == "full":
            raise self._too_many_jobs()
        if answer[0] == "gone":
            raise StoreUnavailableError("the upload was lost on the way to the store; send it again")
        if answer[0] == "ok":
            journal.note_accepted(job_id, spec, total)
        return str(answer[1])

    def abort(self, job_id: str, owner: str) -> None:
        """Remove what an upload has written."""
        self._remove(job_id, owner)

    def find_by_idempotency(self, owner: str, digest: str) -> str | None:
        """The id of the living job that this key made."""
        found: Any = self._redis.get(keys.idempotency(owner, digest))
        if found is None or not self._redis.exists(keys.job_part(found.decode(), "")):
            return None
        return str(found.decode())

    def require_room(self, result_bytes_per_row: int) -> None:
        """Check that another job may begin, or an upload go on.

        Raises:
            OverloadedError: too many jobs are open, or the store is nearly full.
        """
        if self._redis.zcard(keys.JOBS_OPEN) >= self._settings.max_open_jobs:
            raise self._too_many_jobs()
        self.require_memory(result_bytes_per_row)

    def require_memory(self, result_bytes_per_row: int) -> None:
        """Check that the store has room, counting the results that open jobs will yet add.

        Raises:
            OverloadedError: it is nearly full.
        """
        memory: Any = self._redis.info("memory")
        limit = memory.get("maxmemory", 0) * self._settings.max_store_fill
        if limit and memory["used_memory"] + self._pending_rows() * result_bytes_per_row > limit:
            raise OverloadedError(
                "the store is nearly full; delete finished jobs, or wait until some expire", retry_after_s=60
            )

    def get(self, job_id: str, owner: str) -> Job:
        """One job.

        Raises:
            NotFoundError: there is none of this id, or it is somebody else's.
        """
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.hgetall(keys.job_part(job_id, ""))
            pipeline.lrange(keys.job_part(job_id, ":errors"), 0, -1)
            pipeline.lrange(keys.job_part(job_id, ":pace"), 0, -1)
            raw_fields, errors, pace = pipeline.execute()
        fields = {name.decode(): value.decode() for name, value in raw_fields.items()}
        if fields.get("owner") != owner or fields["status"] == "validating":
            raise NotFoundError(f"there is no job {job_id}; it may have expired", param="job_id")
        return _job(job_id, fields, errors, pace)

    def list(self, owner: str, limit: int, after: str | None) -> tuple[list[Job], bool]:
        """An owner's jobs, newest first, from the one after `after` on; and whether there are more.

        Raises:
            NotFoundError: there is no job `after`.
        """
        index = keys.jobs_of(owner)
        start = 0
        if after is not None:
            rank: Any = self._redis.zrevrank(index, after)
            if rank is None:
                raise NotFoundError(f"there is no job {after} to go on after", param="after")
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
            # Only now, so that ranks stayed what they were.
            self._redis.zrem(index, *expired)
        return jobs[:limit], len(jobs) > limit

    def cancel(self, job_id: str, owner: str) -> Job:
        """Hand out no more of its chunks; what is in hand may finish.

        Raises:
            NotFoundError: as `get`.
            ConflictError: it has ended otherwise.
        """
        job = self.get(job_id, owner)
        if job.has_ended and job.status != "cancelled":
            raise ConflictError(f"the job is {job.status} and cannot be cancelled any more", code="job_ended")
        is_new, ended = self._scripts.run("cancel", _KEYS, [keys.JOB, job_id, self._settings.result_ttl_s])
        if is_new:
            journal.note_cancelling(job_id)
        journal.note_ended(ended)
        return self.get(job_id, owner)

    def delete(self, job_id: str, owner: str) -> None:
        """Remove every trace of a job; without effect when there is none."""
        if self._remove(job_id, owner):
            journal.note_deleted(job_id)

    def claim_webhook(self, hold_s: int) -> str | None:
        """The job whose webhook is due; nobody else gets it for `hold_s`."""
        found = self._scripts.run("claim_webhook", _KEYS, [hold_s])
        return None if found is None else str(found.decode())

    def get_for_webhook(self, job_id: str) -> tuple[Job, int]:
        """The job, whoever owns it, and the number of this attempt, from 1.

        Raises:
            NotFoundError: it is gone.
        """
        owner: Any = self._redis.hget(keys.job_part(job_id, ""), "owner")
        job = self.get(job_id, "" if owner is None else owner.decode())
        attempt: Any = self._redis.hincrby(keys.job_part(job_id, ""), "webhook_attempts", 1)
        return job, attempt

    def delay_webhook(self, job_id: str, delay_s: int) -> None:
        """Try again after `delay_s`."""
        self._redis.zadd(keys.JOB_WEBHOOKS, {job_id: time.time() + delay_s}, xx=True)

    def drop_webhook(self, job_id: str) -> None:
        """Nothing is to be sent any more."""
        self._redis.zrem(keys.JOB_WEBHOOKS, job_id)

    def result_starts(self, job_id: str) -> Sequence[int]:
        """First rows of the chunks that have a result, in order."""
        raw: Any = self._redis.hkeys(keys.job_part(job_id, ":results"))
        return sorted(map(int, raw))

    def result(self, job_id: str, first_row: int) -> bytes | None:
        """The packed result of one chunk; None when the job has just gone."""
        found: bytes | None = self._redis.hget(keys.job_part(job_id, ":results"), str(first_row))  # type: ignore[assignment]  # redis-py types it as text
        return found

    def _ids(self, index: str, start: int, page: int = 50) -> Iterator[str]:
        ids: Any = self._redis.zrevrange(index, start, start + page)
        while ids:
            yield from (job_id.decode() for job_id in ids)
            start += page + 1
            ids = self._redis.zrevrange(index, start, start + page)

    def _remove(self, job_id: str, owner: str) -> bool:
        return bool(self._scripts.run("delete", [*_KEYS, keys.jobs_of(owner)], [keys.JOB, job_id]))

    def _pending_rows(self) -> int:
        ids: Any = self._redis.zrange(keys.JOBS_OPEN, 0, -1)
        with self._redis.pipeline(transaction=False) as pipeline:
            for job_id in ids:
                pipeline.hmget(keys.job_part(job_id.decode(), ""), "total", "completed", "failed")
            counts = pipeline.execute()
        return sum(int(total or 0) - int(completed or 0) - int(failed or 0) for total, completed, failed in counts)

    def _too_many_jobs(self) -> OverloadedError:
        return OverloadedError(
            f"{self._settings.max_open_jobs} jobs are open (MAX_OPEN_JOBS); wait for one to end", retry_after_s=30
        )


def _wait_until_on_disk(connection: Redis) -> None:
    """Wait for the append-only file to be synced, a second at most by its own schedule.

    A store without one, or one that is older than the command, keeps what its owner lets it keep.
    """
    try:
        connection.waitaof(num_local=1, num_replicas=0, timeout=FSYNC_WAIT_MS)
    except ResponseError:
        return


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
        times={name: int(fields[name]) for name in _TIMES if name in fields},
        errors=[msgspec.json.decode(error) for error in errors],
        rows_per_s=_speed(fields, pace, time.time()),
    )


def _speed(fields: dict[str, str], pace: Sequence[bytes], now_s: float) -> float | None:
    """Rows a second: of the whole job once it has ended, else over its last chunks."""
    started = int(fields["in_progress_at"])
    ended = next((int(fields[f"{status}_at"]) for status in ENDED if f"{status}_at" in fields), None)
    if ended is not None:
        done = int(fields.get("completed", 0)) + int(fields.get("failed", 0))
        return round(done / max(1, ended - started), 1)
    return recent_speed([tuple(map(int, entry.split(b":"))) for entry in pace], int(now_s * 1000))


def recent_speed(pace: Sequence[tuple[int, ...]], now_ms: int) -> float | None:
    """Rows a second from (ms, rows) of the last chunks, newest first; the oldest one's rows were done before its time.

    A silence that is longer than a few chunks take counts too, or a job that stands still would seem to be on its way.
    """
    if len(pace) < 2:
        return None
    worked_ms = pace[0][0] - pace[-1][0]
    silence_ms = now_ms - pace[0][0]
    if silence_ms > SILENT_CHUNKS * worked_ms / (len(pace) - 1):
        worked_ms += silence_ms
    return round(1000 * sum(rows for _, rows in pace[:-1]) / max(1, worked_ms), 1)
