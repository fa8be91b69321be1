"""Checks that the store has room for another job, or for more of one that is being uploaded."""

from typing import Any

from redis import Redis

from api.jobs.room import JobRoom
from shared import keys
from shared.errors import DiskFullError, OverloadedError
from shared.jobs.scripts import Scripts
from shared.settings import Settings

# What a verdict adds to the store for each row, packed (docs/jobs.md says how it was measured).
RESULT_BYTES_PER_ROW = 32


class StoreCapacity:
    """Thread-safe and blocking. Every method raises `redis.RedisError` when Redis does not answer."""

    def __init__(
        self, redis: Redis, settings: Settings, room: JobRoom, result_bytes_per_row: int = RESULT_BYTES_PER_ROW
    ) -> None:
        self._redis = redis
        self._scripts = Scripts(redis)
        self._room = room
        self._settings = settings
        self._result_bytes_per_row = result_bytes_per_row

    def require_room(self, owner: str) -> None:
        """Check that another job of `owner` may begin.

        Raises:
            OverloadedError: too many jobs are open, of all or of this owner, or the store is nearly full.
            DiskFullError: the store would keep the job in memory alone.
        """
        require_disk(self._redis)
        answer = self._scripts.run("room", [keys.JOBS_OPEN], [keys.JOB, owner, *self._room.limits_of(owner)])
        self._room.refuse(answer.decode(), owner)
        self.require_memory()

    def require_memory(self) -> None:
        """Check that the store has room, counting the results that open jobs have yet to add.

        Raises:
            OverloadedError: it is nearly full.
        """
        memory: Any = self._redis.info("memory")
        limit = memory.get("maxmemory", 0) * self._settings.max_store_fill
        if limit and memory["used_memory"] + self._pending_rows() * self._result_bytes_per_row > limit:
            raise OverloadedError(
                "the store is nearly full; delete finished jobs, or wait until some expire", retry_after_s=60
            )

    def _pending_rows(self) -> int:
        ids: Any = self._redis.zrange(keys.JOBS_OPEN, 0, -1)
        with self._redis.pipeline(transaction=False) as pipeline:
            for job_id in ids:
                pipeline.hmget(keys.job_part(job_id.decode(), ""), "total", "completed", "failed")
            counts = pipeline.execute()
        return sum(int(total or 0) - int(completed or 0) - int(failed or 0) for total, completed, failed in counts)


def require_disk(redis: Redis) -> None:
    """Check that the store writes what it takes to its disk.

    Raises:
        DiskFullError: its disk is full, so that for now it keeps in memory what it takes.
    """
    if redis.exists(keys.STORE_PAUSED):
        raise DiskFullError(
            "the store's disk is full, so a job could not be kept: make room in DATA_DIR and send it again; "
            "texts are answered meanwhile"
        )
