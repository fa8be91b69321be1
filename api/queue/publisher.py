"""Puts messages on the queue from a thread of its own, because Celery's client blocks."""

import asyncio
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from shared import keys
from shared.celery_app import JOBS_TASK, PREDICT_TASK, QUEUED_AT_HEADER
from shared.errors import StoreUnavailableError
from shared.messages import PredictMessage, encode

# A name server that does not answer can hold the thread longer than any socket time-out; callers do not wait so long.
PUBLISH_TIMEOUT_S = 8.0
CLOSE_TIMEOUT_S = 2.0
# Celery would otherwise copy the texts into a message header, for its logs.
HIDDEN_ARGUMENTS = "(texts)"


class Publisher:
    """One connection, one thread: messages leave in the order in which they were handed over."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._thread = _CallThread("publisher")
        self._producer: Any = None
        self._connecting: Future[None] | None = None

    def connect_soon(self) -> None:
        """Open the connection in the publisher's thread, so that the first text need not wait for it."""
        if self._producer is None and (self._connecting is None or self._connecting.done()):
            self._connecting = self._thread.submit(self._connect)

    def require_connection(self) -> None:
        """Check that a message could leave at once; if not, try to connect meanwhile.

        Raises:
            StoreUnavailableError: there is no connection, or it is still being made.
        """
        if self._producer is None:
            self.connect_soon()
            raise StoreUnavailableError("the queue is not connected yet; try again shortly")

    async def publish(self, message: PredictMessage) -> None:
        """Queue one message of texts.

        Raises:
            StoreUnavailableError: Redis does not take it.
        """
        await self._queue(PREDICT_TASK, keys.INTERACTIVE_QUEUE, encode(message).decode())

    async def announce_job(self, job_id: str) -> None:
        """Tell the workers that a job has work.

        Raises:
            StoreUnavailableError: Redis does not take it.
        """
        await self._queue(JOBS_TASK, keys.BULK_QUEUE, job_id)

    async def _queue(self, task: str, queue: str, argument: str) -> None:
        sent = self._thread.submit(lambda: self._send(task, queue, argument))
        try:
            await asyncio.wait_for(asyncio.wrap_future(sent), PUBLISH_TIMEOUT_S)
        except (OperationalError, RedisError, OSError) as error:  # a time-out is an OSError
            raise StoreUnavailableError("the queue does not answer; try again shortly") from error

    def close(self) -> None:
        """Give the connection back, once the message in hand is out; not for long, should that hang."""
        self._thread.submit(self._disconnect)
        self._thread.end(CLOSE_TIMEOUT_S)

    def _send(self, task: str, queue: str, argument: str) -> None:
        try:
            self._send_once(task, queue, argument)
        except (OperationalError, RedisError, OSError):
            # The connection may just be stale, from before a restart of Redis: one more try on a new one.
            self._disconnect()
            self._send_once(task, queue, argument)

    def _send_once(self, task: str, queue: str, argument: str) -> None:
        self._connect()
        try:
            self._app.send_task(
                task,
                args=(argument,),
                queue=queue,
                producer=self._producer,
                retry=False,
                ignore_result=True,
                argsrepr=HIDDEN_ARGUMENTS,
                headers={QUEUED_AT_HEADER: time.time()},
            )
        except Exception:
            self._disconnect()
            raise

    def _connect(self) -> None:
        if self._producer is None:
            connection = self._app.connection_for_write()
            producer = self._app.amqp.Producer(connection)
            try:
                # Messages leave by this pool; the channel's own check uses another.
                channel: Any = connection.default_channel
                with channel.conn_or_acquire() as client:
                    client.ping()
            except Exception:
                connection.release()
                raise
            self._producer = producer

    def _disconnect(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.connection.release()


class _CallThread:
    """Runs calls one after the other. A daemon, unlike an executor's threads: one that hangs holds up no exit."""

    def __init__(self, name: str) -> None:
        self._calls: queue.SimpleQueue[tuple[Future[None], Callable[[], None]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, call: Callable[[], None]) -> "Future[None]":
        """Have `call` run in the thread; one that is cancelled before its turn is left out."""
        future: Future[None] = Future()
        self._calls.put((future, call))
        return future

    def end(self, timeout_s: float) -> None:
        """Run what was submitted, and end; wait no longer than this for it."""
        self._calls.put(None)
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while (item := self._calls.get()) is not None:
            future, call = item
            if not future.set_running_or_notify_cancel():
                continue
            try:
                call()
            except Exception as error:  # noqa: BLE001  it belongs to whoever waits for the future
                future.set_exception(error)
            else:
                future.set_result(None)
