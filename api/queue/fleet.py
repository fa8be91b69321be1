"""Which workers live, as their heartbeats in Redis tell; and whether Redis itself answers. One an API process."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
from redis.asyncio import Redis
from redis.exceptions import OutOfMemoryError, RedisError, ResponseError

from api.background import end_task
from shared import keys
from shared.errors import NoWorkerError, StoreUnavailableError, UnavailableError
from shared.log import get_logger
from shared.messages import Heartbeat, decode
from shared.store_errors import is_refusal, name_store_error

log = get_logger(__name__)


class Fleet:
    """Refreshes its view every `interval_s`; `on_worker_lost` is called when a heartbeat ended without a goodbye."""

    def __init__(self, redis: Redis, interval_s: float) -> None:
        self._redis = redis
        self._interval_s = interval_s
        self._workers: dict[str, Heartbeat] = {}
        self._store_answers = False
        self._store_fault: UnavailableError | None = None
        self._task: asyncio.Task[None] | None = None
        self.on_worker_lost: Callable[[], None] = lambda: None

    async def start(self) -> None:
        """Look once, then keep looking."""
        await self.refresh()
        self._task = asyncio.create_task(self._refresh_forever(), name="fleet")

    async def close(self) -> None:
        """Stop looking."""
        await end_task(self._task)

    @property
    def store_answers(self) -> bool:
        """Whether Redis answered last time."""
        return self._store_answers

    @property
    def workers(self) -> list[Heartbeat]:
        """Live workers, by id."""
        return [self._workers[worker_id] for worker_id in sorted(self._workers)]

    @property
    def texts_per_s(self) -> float:
        """How fast the live workers that take interactive texts are together, while they compute."""
        return sum(worker.throughput.texts_per_s for worker in self._interactive_workers())

    def require_live_worker(self) -> None:
        """Check that somebody could answer.

        Raises:
            StoreUnavailableError: Redis does not answer.
            DiskFullError, StoreFullError: it answers and takes nothing.
            NoWorkerError: it does, but no worker lives.
        """
        if not self._store_answers:
            raise StoreUnavailableError("Redis does not answer; try again shortly")
        if self._store_fault is not None:
            raise self._store_fault
        if not self._interactive_workers():
            raise NoWorkerError("no worker that takes texts is running; start one, or try again shortly")

    def _interactive_workers(self) -> list[Heartbeat]:
        return [worker for worker in self._workers.values() if worker.takes != "jobs"]

    def mark_store_lost(self) -> None:
        """Somebody else found out that Redis is away."""
        self._store_answers = False

    async def refresh(self) -> None:
        """Read all heartbeats now."""
        try:
            fault = await self._find_fault()
            listed, heartbeats = await self._read()
        except (RedisError, OSError) as error:
            if self._store_answers:
                log.warning("store_lost", error_type=type(error).__name__)
            self._store_answers = False
            return
        if not self._store_answers:
            log.info("store_answers", workers=len(heartbeats))
        self._note_fault(fault)
        # A worker that said goodbye is no longer listed; one that died still is, without a heartbeat.
        lost = [worker_id for worker_id in self._workers if worker_id in listed and worker_id not in heartbeats]
        self._workers, self._store_answers = heartbeats, True
        # While the store takes nothing, heartbeats run out though their workers live.
        if lost and fault is None:
            log.warning("worker_lost", worker_ids=lost)
            self.on_worker_lost()

    async def _find_fault(self) -> UnavailableError | None:
        """Why the store takes no writes, if it takes none."""
        try:
            # Redis refuses PING, too, while it cannot write to its disk.
            await self._redis.ping()
            memory = await self._redis.info("memory")
        except ResponseError as error:
            return name_store_error(error) if is_refusal(error) else None
        limit = memory.get("maxmemory", 0)
        return name_store_error(OutOfMemoryError("OOM")) if limit and memory["used_memory"] > limit else None

    def _note_fault(self, fault: UnavailableError | None) -> None:
        """One log line when the store begins to refuse, and one when it takes writes again."""
        was, self._store_fault = self._store_fault, fault
        if fault is not None and (was is None or was.code != fault.code):
            log.error("store_refuses_writes", error=fault.code, reason=fault.message)
        elif fault is None and was is not None:
            log.info("store_takes_writes")

    async def _read(self) -> tuple[set[str], dict[str, Heartbeat]]:
        members: Any = await self._redis.zrange(keys.WORKERS, 0, -1)
        listed = [member.decode() for member in members]
        bodies = await self._redis.mget([keys.worker(worker_id) for worker_id in listed]) if listed else []
        heartbeats: dict[str, Heartbeat] = {}
        for worker_id, body in zip(listed, bodies, strict=True):
            if body is not None:
                try:
                    heartbeats[worker_id] = decode(body, Heartbeat)
                except msgspec.DecodeError as error:
                    log.warning("heartbeat_unreadable", worker_id=worker_id, reason=str(error))
        return set(listed), heartbeats

    async def _refresh_forever(self) -> None:
        while True:
            await asyncio.sleep(self._interval_s)
            try:
                await self.refresh()
            except Exception:
                # Without this view the process would refuse everybody, or believe in the dead: it looks again.
                log.exception("fleet_refresh_failed")
