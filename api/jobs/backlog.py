"""Reads the remaining work of all open jobs from the ledger, for `/metrics`."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio import Redis

from shared import keys

# The states of a job that has been accepted and has not ended.
OPEN_STATES = ("in_progress", "cancelling")


@dataclass(frozen=True)
class Backlog:
    """Open jobs by state, their remaining rows, and the age of the oldest; 0 if there is none."""

    jobs: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OPEN_STATES, 0))
    rows_waiting: int = 0
    oldest_s: float = 0.0


async def read_backlog(redis: Redis) -> Backlog:
    """Read the ledger, with at most `MAX_OPEN_JOBS` short reads.

    Raises:
        RedisError: Redis does not answer.
    """
    accepted: Any = await redis.zrange(keys.JOBS_OPEN, 0, -1, withscores=True)
    pipeline = redis.pipeline(transaction=False)
    for job_id, _ in accepted:
        pipeline.hmget(keys.job_part(job_id.decode(), ""), "status", "total", "completed", "failed")
    records = await pipeline.execute() if accepted else []
    oldest_s = max(0.0, time.time() - accepted[0][1]) if accepted else 0.0
    return _backlog(records, oldest_s)


def _backlog(records: Sequence[Sequence[bytes | None]], oldest_s: float) -> Backlog:
    states = Counter((status or b"").decode() for status, *_ in records)
    # The remaining rows of a job that is being cancelled are not work.
    waiting = [record for record in records if record[0] == b"in_progress"]
    rows = sum(int(total or 0) - int(completed or 0) - int(failed or 0) for _, total, completed, failed in waiting)
    return Backlog({state: states[state] for state in OPEN_STATES}, rows, oldest_s)
