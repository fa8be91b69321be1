"""What a key holds of what all share, and what is left of its rates: for its own holder, and for the operator."""

from typing import Any

import msgspec
from redis import Redis

from api.access.quotas import KINDS, Rate
from shared import keys
from shared.access.records import KeyLimits
from shared.lua_script import run_script
from shared.usage.scripts import source_of


class Holdings(msgspec.Struct, frozen=True):
    """What a key has stored: in jobs, files, review queues and the live feed together, in policies, in corrections.

    `open_jobs` have not ended; the results that they are yet to store are not counted.
    """

    stored_bytes: int
    policies: int
    policy_bytes: int
    corrections: int
    correction_bytes: int
    open_jobs: int


class HoldingsReader:
    """Thread-safe and blocking. Every method raises `redis.RedisError` when Redis does not answer."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def of(self, owner: str, key_id: str) -> Holdings:
        """What a key holds; of one of API_KEYS the owner is another name than its id."""
        arguments = [owner, key_id, keys.JOBS_OPEN, keys.JOB]
        return Holdings(*run_script(self._redis, source_of("holdings"), [], arguments))

    def left(self, key_id: str, limits: KeyLimits) -> dict[Rate, int]:
        """How much of each limited rate a key could use at once now."""
        limited: dict[Rate, int] = {rate: limit for rate in KINDS if (limit := getattr(limits, rate)) is not None}
        if not limited:
            return {}
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.time()
            pipe.mget([keys.quota(key_id, rate) for rate in limited])
            (seconds, microseconds), full_at = pipe.execute()
        now_ms = seconds * 1_000 + microseconds / 1_000
        pairs = zip(limited.items(), full_at, strict=True)
        return {rate: _left(limit, KINDS[rate].period_ms, _until(raw, now_ms)) for (rate, limit), raw in pairs}


def _until(full_at: Any, now_ms: float) -> float:  # noqa: ANN401  as the store has it
    return max(0.0, float(full_at or 0) - now_ms)


def _left(limit: int, period_ms: int, wait_ms: float) -> int:
    """Of a bucket that is full again in `wait_ms`, by `charge.lua`."""
    return int(limit * (1 - min(wait_ms / period_ms, 1)))
