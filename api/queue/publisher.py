"""Puts messages on the queue: one command to Redis each."""

import asyncio
import time
from collections.abc import Awaitable, Coroutine
from typing import Any, Protocol

from redis.exceptions import RedisError

from api.queue import celery_message
from shared import keys
from shared.messages import PredictMessage, encode
from shared.store_errors import name_store_error
from shared.tasks import JOBS_TASK, PREDICT_TASK

# A name server that does not answer can take longer than any socket time-out; callers wait no longer.
PUBLISH_TIMEOUT_S = 8.0


class Lists(Protocol):
    """The lists of Redis; `StoreWire` says what it raises."""

    def lpush(self, key: str, value: bytes, /) -> Awaitable[object]:
        """Put a value at the left end of a list."""

    @property
    def is_open(self) -> bool:
        """Whether `lpush_now` may be called."""

    def lpush_now(self, key: str, value: bytes, /) -> Coroutine[Any, Any, None]:
        """As `lpush`, and sent before this returns."""


class TextPublisher(Protocol):
    """Puts messages on the queue."""

    async def publish(self, message: PredictMessage) -> None:
        """Queue one message of texts; raises UnavailableError when the queue does not take it."""

    @property
    def is_open(self) -> bool:
        """Whether `publish_now` may be called."""

    def publish_now(self, message: PredictMessage) -> Coroutine[Any, Any, None]:
        """As `publish`, and sent before this returns: await what it returns for the outcome."""


class Publisher:
    """Messages of one caller leave in the order in which they were handed over."""

    def __init__(self, lists: Lists, process_id: str, timeout_s: float = PUBLISH_TIMEOUT_S) -> None:
        self._lists = lists
        self._process_id = process_id
        self._timeout_s = timeout_s

    async def publish(self, message: PredictMessage) -> None:
        """Queue one message of texts.

        Raises:
            UnavailableError: Redis does not take it; the message says why.
        """
        await self._queue(PREDICT_TASK, keys.INTERACTIVE_QUEUE, encode(message).decode())

    @property
    def is_open(self) -> bool:
        """Whether `publish_now` may be called."""
        return self._lists.is_open

    def publish_now(self, message: PredictMessage) -> Coroutine[Any, Any, None]:
        """As `publish`, and sent before this returns: await what it returns for the outcome."""
        argument = encode(message).decode()
        return self._taken(self._lists.lpush_now(*self._composed(PREDICT_TASK, keys.INTERACTIVE_QUEUE, argument)))

    async def announce_job(self, job_id: str) -> None:
        """Tell the workers that a job has work.

        Raises:
            UnavailableError: as `publish`.
        """
        await self._queue(JOBS_TASK, keys.BULK_QUEUE, job_id)

    async def _queue(self, task: str, queue: str, argument: str) -> None:
        await self._taken(self._lists.lpush(*self._composed(task, queue, argument)))

    def _composed(self, task: str, queue: str, argument: str) -> tuple[str, bytes]:
        """The list that a message goes to, and the message."""
        return keys.queue(queue), celery_message.compose(task, queue, argument, self._process_id, time.time())

    async def _taken(self, pushed: Awaitable[object]) -> None:
        try:
            async with asyncio.timeout(self._timeout_s):
                await pushed
        except (RedisError, OSError) as error:  # a time-out is an OSError
            raise name_store_error(error) from error
