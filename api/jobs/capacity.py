"""Checks that the store has room for another job, or for more of one that is being uploaded."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from redis import Redis

from api.jobs.room import JobRoom
from shared import keys
from shared.errors import DiskFullError, OverloadedError, RateLimitedError
from shared.jobs.scripts import Scripts
from shared.lua_script import run_script
from shared.settings import Settings
from shared.usage.scripts import source_of

# What a verdict adds to the store for each row, packed (docs/jobs.md says how it was measured).
RESULT_BYTES_PER_ROW = 32
RETRY_AFTER_S = 60


@dataclass(frozen=True)
class StoreRoom:
    """How many bytes of the store are free, and how many are still to come for each owner, which are not."""

    free: int
    to_come: Counter[str]


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
            OverloadedError: too many jobs are open, or the store is nearly full, of all or of this owner.
            DiskFullError: the store would keep the job in memory alone.
        """
        require_disk(self._redis)
        answer = self._scripts.run("room", [keys.JOBS_OPEN], [keys.JOB, owner, *self._room.limits_of(owner)])
        self._room.refuse(answer.decode(), owner)
        self.require_memory(owner)

    def require_memory(self, owner: str | None = None, upload: str | None = None) -> None:
        """Check that the store has room, counting the results that open jobs and uploads have yet to add.

        With several keys, an owner takes no more of it than it leaves free. `upload` is the one that would go on.

        Raises:
            OverloadedError: the store is nearly full.
            RateLimitedError: the owner takes as much of it as is free.
        """
        room = self.look()
        if room is not None and owner is not None and self._room.is_shared:
            self._require_share(owner, room, upload)

    def free_bytes(self) -> int | None:
        """How much the store may still take, counting the results that are yet to come; None where it has no limit.

        Raises:
            OverloadedError: the store is nearly full.
        """
        room = self.look()
        return None if room is None else room.free

    def look(self) -> StoreRoom | None:
        """How the store stands; None where it has no limit. Raises as `free_bytes`."""
        memory: Any = self._redis.info("memory")
        limit = memory.get("maxmemory", 0) * self._settings.max_store_fill
        if not limit:
            return None
        to_come = self._bytes_to_come()
        free = int(limit - memory["used_memory"] - to_come.total())
        if free < 0:
            raise OverloadedError(
                "the store is nearly full; delete finished jobs, or wait until some expire", retry_after_s=RETRY_AFTER_S
            )
        return StoreRoom(free, to_come)

    def _require_share(self, owner: str, room: StoreRoom, upload: str | None) -> None:
        in_hand = "" if upload is None else keys.job_part(upload, "")
        arguments = [owner, room.to_come[owner], room.free, in_hand, self._room.key_id_of(owner)]
        taken, wait_s = run_script(self._redis, source_of("share"), [], arguments)
        if wait_s:
            raise RateLimitedError(
                f"what this key has stored takes {taken:,} bytes of the store and {room.free:,} are free, of "
                "which one key leaves as much to others as it takes (MAX_STORE_FILL); delete finished jobs, wait until "
                "they expire, or send a smaller file",
                retry_after_s=RETRY_AFTER_S if wait_s < 0 else wait_s,
            )

    def _bytes_to_come(self) -> Counter[str]:
        """What results will take that are not there yet, by the owner of their jobs."""
        ids: Any = [*self._redis.zrange(keys.JOBS_OPEN, 0, -1), *self._redis.zrange(keys.JOB_UPLOADS, 0, -1)]
        with self._redis.pipeline(transaction=False) as pipeline:
            for job_id in ids:
                pipeline.hmget(keys.job_part(job_id.decode(), ""), "owner", "total", "completed", "failed")
            found = pipeline.execute()
        to_come: Counter[str] = Counter()
        for owner, total, completed, failed in found:
            rows = int(total or 0) - int(completed or 0) - int(failed or 0)
            to_come[(owner or b"").decode()] += rows * self._result_bytes_per_row
        return to_come


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
