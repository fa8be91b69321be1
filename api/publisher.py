"""Puts messages on the queue from a thread of its own, because Celery's client blocks."""

import asyncio
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from shared import keys
from shared.celery_app import JOBS_TASK, PREDICT_TASK, QUEUED_AT_HEADER
from shared.errors import StoreUnavailableError
from shared.messages import PredictMessage, encode

# Celery would otherwise copy the texts into a message header, for its logs.
HIDDEN_ARGUMENTS = "(texts)"


class Publisher:
    """One connection, one thread: messages leave in the order in which they were handed over."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="publisher")
        self._producer: Any = None
        self._connecting: Future[None] | None = None

    def connect_soon(self) -> None:
        """Open the connection in the publisher's thread, so that the first text need not wait for it."""
        if self._producer is None and (self._connecting is None or self._connecting.done()):
            self._connecting = self._executor.submit(self._connect)

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
        try:
            await asyncio.get_running_loop().run_in_executor(self._executor, self._send, task, queue, argument)
        except (OperationalError, RedisError, OSError) as error:
            raise StoreUnavailableError("the queue does not answer; try again shortly") from error

    def close(self) -> None:
        """Give the connection back. Blocks until the message in hand is out."""
        self._executor.submit(self._disconnect)
        self._executor.shutdown()

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
                _ = connection.default_channel  # connects
            except Exception:
                connection.release()
                raise
            self._producer = producer

    def _disconnect(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.connection.release()
