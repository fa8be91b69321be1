"""Notices that the clock of the store was set. What expires, and when, is by that clock alone."""

import time
from collections.abc import Callable

from redis.asyncio import Redis
from redis.exceptions import ResponseError

# A clock that is put right bit by bit, as NTP does, gains far less between two looks; a set one gains more.
STEP_S = 1.0


class StoreClock:
    """Compares the store's clock with this process's own, which nobody can set."""

    def __init__(self, redis: Redis, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._redis = redis
        self._monotonic = monotonic
        # How far the store's clock is ahead: at least, and at most, as its answer takes time.
        self._ahead: tuple[float, float] | None = None

    async def was_set(self) -> bool:
        """Whether it was set since the last look; False where the store does not tell its time.

        Raises:
            redis.RedisError: Redis does not answer.
        """
        asked_at = self._monotonic()
        try:
            seconds, microseconds = await self._redis.time()
        except ResponseError:
            return False
        now = seconds + microseconds / 1e6
        ahead = now - self._monotonic(), now - asked_at
        before, self._ahead = self._ahead, ahead
        return before is not None and (ahead[0] > before[1] + STEP_S or ahead[1] < before[0] - STEP_S)
