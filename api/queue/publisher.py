"""Puts messages on the queue from a thread of its own, because Celery's client blocks."""

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Protocol

from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from shared import keys
from shared.celery_app import JOBS_TASK, PREDICT_TASK
from shared.errors import StoreUnavailableError
from shared.messages import PredictMessage, encode
from shared.store_errors import name_store_error

# A name server that does not answer can block the thread longer than any socket time-out; callers wait no longer.
PUBLISH_TIMEOUT_S = 8.0
CLOSE_TIMEOUT_S = 2.0
_LOST = (OperationalError, RedisError, OSError)  # a time-out is an OSError


class Sender(Protocol):
    """A blocking connection to the queue, as `CelerySender`."""

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection that worked when it was last used."""

    def connect(self) -> None:
        """Open the connection, unless there is one."""

    def disconnect(self) -> None:
        """Give the connection back, if there is one."""

    def send(self, task: str, queue: str, argument: str) -> None:
        """Send one message, over a new connection if there is none; closes the connection if it fails."""


class Publisher:
    """One connection, one thread: messages leave in the order in which they were handed over."""

    def __init__(self, sender: Sender, timeout_s: float = PUBLISH_TIMEOUT_S) -> None:
        self._sender = sender
        self._timeout_s = timeout_s
        # If the thread hangs when the process ends, `api.main` ends the process all the same.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="publisher")
        self._connecting: Future[None] | None = None

    def connect_soon(self) -> None:
        """Open the connection in the publisher's thread, so that the first text need not wait for it."""
        if not self._sender.is_connected and (self._connecting is None or self._connecting.done()):
            self._connecting = self._thread.submit(self._sender.connect)

    def require_connection(self) -> None:
        """Check that a message could leave at once; if not, start connecting.

        Raises:
            StoreUnavailableError: there is no connection, or it is still being made.
        """
        if not self._sender.is_connected:
            self.connect_soon()
            raise StoreUnavailableError("the queue is not connected yet; try again shortly")

    async def publish(self, message: PredictMessage) -> None:
        """Queue one message of texts.

        Raises:
            UnavailableError: Redis does not take it; the message says why.
        """
        await self._queue(PREDICT_TASK, keys.INTERACTIVE_QUEUE, encode(message).decode())

    async def announce_job(self, job_id: str) -> None:
        """Tell the workers that a job has work.

        Raises:
            UnavailableError: as `publish`.
        """
        await self._queue(JOBS_TASK, keys.BULK_QUEUE, job_id)

    def close(self) -> None:
        """Give the connection back once the message in hand is out; wait for that at most `CLOSE_TIMEOUT_S`."""
        disconnected = self._thread.submit(self._sender.disconnect)
        self._thread.shutdown(wait=False)
        wait([disconnected], CLOSE_TIMEOUT_S)

    async def _queue(self, task: str, queue: str, argument: str) -> None:
        sent = self._thread.submit(self._send, task, queue, argument)
        try:
            await asyncio.wait_for(asyncio.wrap_future(sent), self._timeout_s)
        except _LOST as error:
            raise name_store_error(error) from error

    def _send(self, task: str, queue: str, argument: str) -> None:
        try:
            self._sender.send(task, queue, argument)
        except _LOST:
            # The connection may be stale, from before a restart of Redis: try once more on a new one.
            self._sender.send(task, queue, argument)
