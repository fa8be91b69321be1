"""Keeps the keyring of an API process in step with the store."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from api.access.keyring import Keyring
from api.access.keys_file import KeysFile
from api.background import end_task
from shared import keys
from shared.access.key_store import decode_records
from shared.errors import SettingsError
from shared.log import get_logger

log = get_logger(__name__)

# A change of a key takes effect on every API process within this and the time of two short reads.
POLL_S = 0.4


class KeyringRefresh:
    """Reads the keys again whenever their generation has changed. One per API process."""

    def __init__(self, keyring: Keyring, redis: Redis, keys_file: KeysFile | None = None) -> None:
        self._keyring = keyring
        self._redis = redis
        self._file = keys_file
        self._generation: bytes | None = None
        self._fault = ""
        self._file_fault = ""

    async def refresh(self) -> None:
        """Look once. While the store does not answer, the keys known so far go on working.

        So do the keys of a file that cannot be read any more, or is wrong: half of an edit must lock nobody out.
        """
        self._read_file()
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

    def _read_file(self) -> None:
        try:
            records = None if self._file is None else self._file.changed()
        except SettingsError as error:
            self._note_file_fault(error.message)
            return
        self._note_file_fault("")
        if records is not None:
            self._keyring.load_file(records)

    def _note_file_fault(self, reason: str) -> None:
        if reason and reason != self._file_fault:
            log.error("keys_file_unreadable", reason=reason)
        self._file_fault = reason

    def _note_fault(self, reason: str) -> None:
        if reason != self._fault:
            log.error("keys_unreadable", reason=reason)
        self._fault = reason


@asynccontextmanager
async def refreshed_keyring(keyring: Keyring, redis: Redis, keys_file: KeysFile | None = None) -> AsyncIterator[None]:
    """The keyring, read once and kept up to date."""
    refresh = KeyringRefresh(keyring, redis, keys_file)
    await refresh.refresh()
    task = asyncio.create_task(refresh.refresh_forever(), name="keyring")
    try:
        yield
    finally:
        await end_task(task)
