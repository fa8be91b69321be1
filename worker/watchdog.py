"""Ends a worker process that runs but does not work, so that its supervisor starts a new one.

Three such states are known: a model thread died; one hangs in a pass; Celery's consumer stopped taking messages
after a lost connection (celery#8030, #8091, #8384, #9054, #10205) while messages wait.
"""

import os
import threading
import time
from collections.abc import Callable

from redis import Redis
from redis.exceptions import RedisError

from shared import keys
from shared.celery_app import QUEUES_TAKEN
from shared.log import get_logger
from shared.settings import Settings
from worker.heartbeat import HeartbeatWriter
from worker.inference.batcher import MicroBatcher

log = get_logger(__name__)

EXIT_STALLED = 70


class Watchdog:
    """Writes the heartbeat while every model thread lives and exits the process when one does not."""

    def __init__(self, batcher: MicroBatcher, heartbeat: HeartbeatWriter, redis: Redis, settings: Settings) -> None:
        self._batcher = batcher
        self._heartbeat = heartbeat
        self._redis = redis
        self._stall_timeout_s = settings.stall_timeout_s
        # Messages in a queue that this worker does not read say nothing about its consumer.
        self._takes_interactive = keys.INTERACTIVE_QUEUE in QUEUES_TAKEN[settings.worker_takes]
        self._stopping = threading.Event()
        self._waiting_since: float | None = None
        self._steps_seen = 0
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
        self._interval_s = 1.0

    def start(self, interval_s: float) -> None:
        """Check the worker and write its heartbeat every `interval_s`."""
        self._interval_s = interval_s
        self._thread.start()

    def stop(self) -> None:
        """Stop watching and withdraw the heartbeat."""
        self._stopping.set()
        self._thread.join()
        self._tolerate_store_loss(self._heartbeat.withdraw)

    def _run(self) -> None:
        while not self._stopping.is_set():
            reason = self._fault()
            if reason is not None:
                log.error("worker_stalled", reason=reason)
                # Not sys.exit: the main thread may be the one that hangs.
                os._exit(EXIT_STALLED)
            self._tolerate_store_loss(self._heartbeat.write)
            self._stopping.wait(self._interval_s)

    def _fault(self) -> str | None:
        if not self._batcher.is_alive:
            return "a model thread died"
        if time.monotonic() - self._batcher.beat_at > self._stall_timeout_s:
            return "a model thread hangs"
        if self._takes_interactive and self._consumer_is_silent():
            return "messages wait and none is taken"
        return None

    def _consumer_is_silent(self) -> bool:
        # Bulk windows come from the ledger, not from the consumer, so they are not counted.
        steps = self._batcher.interactive_steps
        waiting = self._tolerate_store_loss(lambda: self._redis.llen(keys.queue(keys.INTERACTIVE_QUEUE))) or 0
        idle = steps == self._steps_seen and self._batcher.waiting_interactive_windows == 0
        self._steps_seen = steps
        if not (waiting and idle):
            self._waiting_since = None
            return False
        self._waiting_since = self._waiting_since or time.monotonic()
        return time.monotonic() - self._waiting_since > self._stall_timeout_s

    def _tolerate_store_loss(self, action: Callable[[], int | None]) -> int | None:
        """Run `action`; returns None while Redis does not answer, because the worker then waits for it to return."""
        try:
            return action()
        except RedisError as error:
            # Messages that wait because Redis refuses every write say nothing of the consumer.
            self._waiting_since = None
            log.debug("heartbeat_not_written", error_type=type(error).__name__)
            return None
