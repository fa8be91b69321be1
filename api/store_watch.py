"""Looks every few seconds whether the store's settings still keep what this service promises; one per API process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis import Redis
from redis.exceptions import RedisError

from api.background import end_task
from shared.errors import StoreUnfitError
from shared.log import get_logger
from shared.settings import Settings
from shared.store_check import Finding, breaking, check_store, log_changes

log = get_logger(__name__)

INTERVAL_S = 10.0
# Until the store has answered once, and after it was away.
FIRST_INTERVAL_S = 1.0
REDIS_TIMEOUT_S = 2


class StoreWatch:
    """Keeps what `check_store` found last. `redis` blocks; it is used in threads alone."""

    def __init__(self, redis: Redis, settings: Settings) -> None:
        self._redis = redis
        self._settings = settings
        self._findings: list[Finding] = []
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start looking, unless STORE_CHECKS says not to."""
        if self._settings.store_checks != "off":
            self._task = asyncio.create_task(self._look_forever(), name="store-watch")

    async def close(self) -> None:
        """Stop looking."""
        await end_task(self._task)

    @property
    def warnings(self) -> list[str]:
        """A sentence for each setting of the store that an operator should change."""
        return [finding.message for finding in self._findings]

    def require_fit(self) -> None:
        """Check that the store keeps what it takes.

        Raises:
            StoreUnfitError: it does not, and STORE_CHECKS is `refuse`.
        """
        broken = breaking(self._findings)
        if broken and self._settings.store_checks == "refuse":
            raise StoreUnfitError(broken[0].message)

    async def look(self) -> bool:
        """Look now; False when the store does not answer."""
        try:
            found = await asyncio.to_thread(check_store, self._redis)
        except (RedisError, OSError):
            return False
        log_changes(log, self._findings, found)
        self._findings = found
        return True

    async def _look_forever(self) -> None:
        while True:
            try:
                has_answered = await self.look()
            except Exception:
                log.exception("store_check_failed")
                has_answered = True
            await asyncio.sleep(INTERVAL_S if has_answered else FIRST_INTERVAL_S)


@asynccontextmanager
async def running_store_watch(settings: Settings, redis_url: str) -> AsyncIterator[StoreWatch]:
    """The watch on a connection of its own."""
    redis: Redis = Redis.from_url(redis_url, socket_timeout=REDIS_TIMEOUT_S, socket_connect_timeout=REDIS_TIMEOUT_S)
    watch = StoreWatch(redis, settings)
    watch.start()
    try:
        yield watch
    finally:
        await watch.close()
        redis.close()
