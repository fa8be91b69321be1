"""Puts messages on the queue: one command to Redis each."""

import asyncio
import time
from collections.abc import Awaitable
from typing import Protocol

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

    async def announce_job(self, job_id: str) -> None:
        """Tell the workers that a job has work.

        Raises:
            UnavailableError: as `publish`.
        """
        await self._queue(JOBS_TASK, keys.BULK_QUEUE, job_id)

    async def _queue(self, task: str, queue: str, argument: str) -> None:
        message = celery_message.compose(task, queue, argument, self._process_id, time.time())
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._lists.lpush(keys.queue(queue), message)
        except (RedisError, OSError) as error:  # a time-out is an OSError
            raise name_store_error(error) from error
