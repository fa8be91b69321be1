"""Keeps the keyring of an API process in step with the store."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from api.access.keyring import Keyring
from api.background import end_task
from shared import keys
from shared.access.key_store import decode_records
from shared.log import get_logger

log = get_logger(__name__)

# A change of a key takes effect on every API process within this and the time of two short reads.
POLL_S = 0.4


class KeyringRefresh:
    """Reads the keys again whenever their generation has changed. One per API process."""

    def __init__(self, keyring: Keyring, redis: Redis) -> None:
        self._keyring = keyring
        self._redis = redis
        self._generation: bytes | None = None
        self._fault = ""

    async def refresh(self) -> None:
        """Look once. While the store does not answer, the keys known so far go on working."""
        try:
            generation: Any = await self._redis.get(keys.ACCESS_GENERATION)
            if self._keyring.is_known and generation == self._generation:
                return
            found: Any = await self._redis.hgetall(keys.ACCESS_KEYS)
            self._keyring.load(decode_records(found))
            self._generation = generation
            log.debug("keys_read", count=len(found))
        except (RedisError, OSError):
            return
        except msgspec.DecodeError as error:
            self._note_fault(str(error))

    async def refresh_forever(self) -> None:
        """Look again and again."""
        while True:
            await asyncio.sleep(POLL_S)
            try:
                await self.refresh()
            except Exception:
                # Keep looking: otherwise a revoked key would work until the next start.
                log.exception("keys_refresh_failed")

    def _note_fault(self, reason: str) -> None:
        if reason != self._fault:
            log.error("keys_unreadable", reason=reason)
        self._fault = reason


@asynccontextmanager
async def refreshed_keyring(keyring: Keyring, redis: Redis) -> AsyncIterator[None]:
    """The keyring, read once and kept up to date."""
    refresh = KeyringRefresh(keyring, redis)
    await refresh.refresh()
    task = asyncio.create_task(refresh.refresh_forever(), name="keyring")
    try:
        yield
    finally:
        await end_task(task)
