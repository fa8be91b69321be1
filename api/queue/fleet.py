"""Tracks live workers by their heartbeats in Redis, and whether Redis answers. One per API process."""

import asyncio
import contextlib
import math
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
from redis.asyncio import Redis
from redis.exceptions import OutOfMemoryError, RedisError, ResponseError

from api.background import end_task
from api.queue.store_clock import StoreClock
from shared import keys
from shared.errors import NoWorkerError, StoreUnavailableError, UnavailableError
from shared.log import get_logger
from shared.messages import Heartbeat, ModelInfo, decode
from shared.options import VerdictOptions, check_supported
from shared.store_errors import is_refusal, name_store_error

log = get_logger(__name__)

# Pause between looks while the store does not answer or no worker is known: no text can be answered until then.
SEARCH_INTERVAL_S = 0.1
# After an outage of the store, a worker without a heartbeat counts as alive for this many intervals, and texts wait for
# it. Heartbeats expire while the store takes no writes, or at once when its clock is set forward.
DOUBT_INTERVALS = 4
# /ready answers from a look that is at most this old: a rolling restart stops the next worker when it says 200. Any
# number of requests causes at most one look in this time.
FRESH_S = 0.1
# How long /ready waits for that look. A store that does not answer must not hold up the 503 that says so.
PATIENCE_S = 0.5


class Fleet:
    """Reads all heartbeats every `interval_s`, or more often while there are none, and then calls `on_refresh`.

    Work may be lost, and is to be sent again: calls `on_worker_lost` when a heartbeat expired without being withdrawn,
    `on_worker_left` when one was withdrawn, and `on_store_back` when Redis answers or takes writes again. A worker
    whose heartbeat ran out while Redis was away or full, or since its clock was set, counts as alive for some time, in
    which it can write the next one.
    """

    def __init__(self, redis: Redis, interval_s: float) -> None:
        self._redis = redis
        self._interval_s = interval_s
        self._workers: dict[str, Heartbeat] = {}
        self._interactive_count = 0
        self._cost_per_s = 0.0
        self._revisions = ""
        self._store_answers = False
        self._store_fault: UnavailableError | None = None
        self._clock = StoreClock(redis)
        # Workers whose heartbeats ran out through no fault of theirs, and until when that tells nothing.
        self._doubted: dict[str, float] = {}
        self._task: asyncio.Task[None] | None = None
        self._wanted = asyncio.Event()
        self._looked_at = -math.inf
        # Set, and replaced, at the end of each look.
        self._looked = asyncio.Event()
        self.on_worker_lost: Callable[[], None] = lambda: None
        self.on_worker_left: Callable[[], None] = lambda: None
        self.on_store_back: Callable[[], None] = lambda: None
        self.on_refresh: Callable[[], None] = lambda: None

    async def start(self) -> None:
        """Read the heartbeats now, then periodically."""
        await self.refresh()
        self._task = asyncio.create_task(self._refresh_forever(), name="fleet")

    async def close(self) -> None:
        """Stop reading."""
        await end_task(self._task)

    @property
    def store_answers(self) -> bool:
        """Whether Redis answered the last read."""
        return self._store_answers

    @property
    def workers(self) -> list[Heartbeat]:
        """Live workers, by id."""
        workers = self._workers
        return [workers[worker_id] for worker_id in sorted(workers)]

    @property
    def texts_per_s(self) -> float:
        """How fast the live workers that take interactive texts are together, while they compute."""
        return sum(worker.throughput.texts_per_s for worker in self._interactive_workers())

    @property
    def revisions(self) -> str:
        """Revisions of the models that interactive texts are read by, usually one; empty while there is none."""
        return self._revisions

    @property
    def cost_per_s(self) -> float:
        """As `texts_per_s`, in the cost of texts and under load."""
        return self._cost_per_s

    @property
    def interactive_count(self) -> int:
        """How many live workers take interactive texts."""
        return self._interactive_count

    def require_live_worker(self) -> None:
        """Check that a worker could answer.

        Raises:
            StoreUnavailableError: Redis does not answer.
            DiskFullError, StoreFullError: it answers and takes nothing.
            NoWorkerError: no worker is alive.
        """
        if not self._store_answers:
            raise StoreUnavailableError("Redis does not answer; try again shortly")
        if self._store_fault is not None:
            raise self._store_fault
        if not self._interactive_workers():
            raise NoWorkerError("no worker that takes texts is running; start one, or try again shortly")

    def require_labels(self) -> list[str]:
        """Every label that a live worker's model may answer, what it calls clean included.

        Raises:
            StoreUnavailableError, DiskFullError, StoreFullError: as `require_live_worker`.
            NoWorkerError: no worker is alive, so nobody knows.
        """
        self.require_live_worker()
        return list(dict.fromkeys(label for worker in self.workers for label in worker.model.labels))

    def check_options(self, options: VerdictOptions) -> None:
        """Check that whichever worker takes a text with these `options` can follow them.

        Raises:
            UnsupportedOptionError: a model that is served lacks a level or a label that they name.
        """
        _check_models([worker.model for worker in self._interactive_workers()], options)

    def check_job_options(self, options: VerdictOptions) -> None:
        """As `check_options`, for rows of jobs. Thread-safe."""
        _check_models([worker.model for worker in self.workers if worker.takes != "predict"], options)

    def _interactive_workers(self) -> list[Heartbeat]:
        return [worker for worker in self._workers.values() if worker.takes != "jobs"]

    def mark_store_lost(self) -> None:
        """Note that another part found Redis unreachable; whether it is, the next look tells at once."""
        self._store_answers = False
        self._wanted.set()

    async def look_again(self) -> None:
        """Have all heartbeats read now, unless that was a moment ago; waits for it, but not long."""
        fresh_since = time.monotonic() - FRESH_S
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                # Twice, where one is under way that began before.
                while self._looked_at < fresh_since:
                    self._wanted.set()
                    await self._looked.wait()

    async def refresh(self) -> None:
        """Read all heartbeats now."""
        looked_at = time.monotonic()
        try:
            await self._refresh()
        finally:
            self._looked_at = looked_at
            looked, self._looked = self._looked, asyncio.Event()
            looked.set()

    async def _refresh(self) -> None:
        try:
            was_set = await self._clock.was_set()
            fault = await self._find_fault()
            listed, heartbeats = await self._read()
        except (RedisError, OSError) as error:
            if self._store_answers:
                log.warning("store_lost", error_type=type(error).__name__)
            self._store_answers = False
            return
        if not self._store_answers:
            log.info("store_answers", workers=len(heartbeats))
        was_refusing = self._note_fault(fault)
        was_away, self._store_answers = not self._store_answers, True
        missing = [worker_id for worker_id in self._workers if worker_id not in heartbeats]
        # A worker that stopped is no longer listed; one that died is still listed, without a heartbeat. A store that
        # came back, or whose clock was set, may have lost the list with them.
        has_lost_list = was_away or was_set
        doubtful = missing if has_lost_list else [name for name in missing if name in listed]
        lost = self._lost_of(missing, doubtful, begins=has_lost_list or was_refusing or fault is not None)
        has_left = any(name not in listed and name not in self._doubted and name not in lost for name in missing)
        self._keep({**{name: self._workers[name] for name in self._doubted}, **heartbeats})
        if was_set:
            log.warning("store_clock_set")
        if lost:
            log.warning("worker_lost", worker_ids=lost)
            self.on_worker_lost()
        elif was_away or was_refusing:
            # A message that a worker took just before a refusal is in no list any more: noting that it has it failed.
            self.on_store_back()
        elif has_left:
            # All that it read is answered by now, but Redis may have handed it one more message as it went (kombu#305).
            self.on_worker_left()
        self.on_refresh()

    def _keep(self, workers: dict[str, Heartbeat]) -> None:
        self._workers = workers
        takers = self._interactive_workers()
        self._interactive_count = len(takers)
        self._cost_per_s = sum(worker.throughput.cost_per_s for worker in takers)
        self._revisions = ",".join(sorted({worker.model.revision for worker in takers}))

    def _lost_of(self, missing: Sequence[str], doubtful: Sequence[str], *, begins: bool) -> list[str]:
        """Of the workers without a heartbeat, those that died: they had the time to write one.

        `begins`: from now on the `doubtful` ones have it.
        """
        now = time.monotonic()
        before = self._doubted
        if begins:
            self._doubted = dict.fromkeys(doubtful, now + DOUBT_INTERVALS * self._interval_s)
        else:
            self._doubted = {name: until for name, until in before.items() if name in missing and now < until}
        died = {*before, *doubtful}
        return [name for name in missing if name in died and name not in self._doubted]

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

    def _note_fault(self, fault: UnavailableError | None) -> bool:
        """One log line when the store begins to refuse, and one when it takes writes again; whether that is now."""
        was, self._store_fault = self._store_fault, fault
        if fault is not None and (was is None or was.code != fault.code):
            log.error("store_refuses_writes", error=fault.code, reason=fault.message)
        elif fault is None and was is not None:
            log.info("store_takes_writes")
        return fault is None and was is not None

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
            is_sure = self._store_fault is None and not self._doubted
            is_searching = not (self._store_answers and self._workers and is_sure)
            await self._pause(min(SEARCH_INTERVAL_S, self._interval_s) if is_searching else self._interval_s)
            try:
                await self.refresh()
            except Exception:
                # Keep reading: with a stale view the process would refuse all texts, or rely on dead workers.
                log.exception("fleet_refresh_failed")

    async def _pause(self, interval_s: float) -> None:
        """Until the next look is due, or wanted."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(interval_s):
                await self._wanted.wait()
        self._wanted.clear()


def _check_models(models: Iterable[ModelInfo], options: VerdictOptions) -> None:
    for model in models:
        check_supported(options, model.name, model.levels, model.labels)
