"""Keeps the embedded store answering while its disk is full.

A store that cannot write its append-only file refuses every write, and with them `/predict`, which needs no disk. So
while there is no room the file is not written: texts are answered, jobs go on and can be deleted, and no new job is
accepted (`Catalogue.require_disk`). Once there is room the whole of the store is written anew. Should it be killed in
between, it begins again with what it had on disk: no accepted job is lost, some of their rows are classified again.
"""

import asyncio
import contextlib
import shutil
import time
from pathlib import Path
from typing import Any

import click
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from shared import keys

LOOK_S = 1.0
RESUME_S = 5.0
REWRITE_S = 120.0
POLL_S = 0.1
# What must be free besides the room that the store's data take.
SPARE_BYTES = 16 << 20
MARK_TTL_S = 300
_MIB = 1 << 20


class StoreKeeper:
    """Looks every second; what it must know it reads from the store, which may have been started again meanwhile."""

    def __init__(self, url: str, data_dir: Path) -> None:
        self._url = url
        self._data_dir = data_dir
        self._is_paused = False
        self._resume_at = 0.0

    async def keep(self) -> None:
        """Look for ever; a store that does not answer is somebody else's care."""
        async with Redis.from_url(self._url) as redis:
            while True:
                # It may be starting again, or refuse until the next look.
                with contextlib.suppress(RedisError, OSError):
                    await self._look(redis)
                await asyncio.sleep(LOOK_S)

    async def _look(self, redis: Redis) -> None:
        state = await redis.info("persistence")
        if state["loading"]:
            return
        if not state["aof_enabled"]:
            await self._stay_paused(redis)
        elif state["aof_last_write_status"] != "ok":
            await self._pause(redis)
        else:
            await self._note_writing(redis)

    async def _pause(self, redis: Redis) -> None:
        # Sent together, so that no job is accepted in between.
        async with redis.pipeline(transaction=False) as pipeline:
            pipeline.config_set("appendonly", "no")
            pipeline.set(keys.STORE_PAUSED, "disk full", ex=MARK_TTL_S)
            await pipeline.execute()
        self._resume_at = time.monotonic() + RESUME_S
        if not self._is_paused:
            free = shutil.disk_usage(self._data_dir).free // _MIB
            click.echo(
                f"  store    cannot write to {self._data_dir} ({free} MB free): texts are answered, jobs are not "
                "accepted. Make room; it goes on by itself. What has changed since is not kept if it ends before",
                err=True,
            )
        self._is_paused = True

    async def _stay_paused(self, redis: Redis) -> None:
        await redis.set(keys.STORE_PAUSED, "disk full", ex=MARK_TTL_S)
        if time.monotonic() < self._resume_at:
            return
        self._resume_at = time.monotonic() + RESUME_S
        memory = await redis.info("memory")
        if shutil.disk_usage(self._data_dir).free < memory["used_memory"] + SPARE_BYTES:
            return
        if not await self._rewrite(redis):
            await self._pause(redis)

    async def _rewrite(self, redis: Redis) -> bool:
        """Turn the file on again, which writes all that is in memory; whether that worked."""
        try:
            await redis.config_set("appendonly", "yes")
        except ResponseError:
            return False
        deadline = time.monotonic() + REWRITE_S
        while time.monotonic() < deadline:
            state = await redis.info("persistence")
            if not (state["aof_rewrite_in_progress"] or state["aof_rewrite_scheduled"]):
                return _is_written(state)
            await asyncio.sleep(POLL_S)
        return False

    async def _note_writing(self, redis: Redis) -> None:
        if await redis.delete(keys.STORE_PAUSED) or self._is_paused:
            click.echo(f"  store    writes to {self._data_dir} again; jobs are accepted", err=True)
        self._is_paused = False


def _is_written(state: Any) -> bool:  # noqa: ANN401  INFO has no type
    return bool(state["aof_last_bgrewrite_status"] == "ok" and state["aof_last_write_status"] == "ok")
