"""What the API puts on the queue is what Celery's own producer puts there."""

import asyncio
import base64
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from api.queue.celery_message import HIDDEN_ARGUMENTS
from api.queue.publisher import Publisher
from api.queue.store_wire import LastingWire
from shared import keys
from shared.celery_app import make_celery
from shared.errors import StoreUnavailableError
from shared.messages import PredictMessage, TextItem, encode
from shared.settings import load_settings
from shared.tasks import JOBS_TASK, PREDICT_TASK, QUEUED_AT_HEADER
from tests.support.stack import Stack

pytestmark = pytest.mark.integration

MESSAGE = PredictMessage(reply_to="api-1", deadline=1.0, items=[TextItem(1, "댓글 \x00 \U0001f600")])
# What differs from message to message.
OWN_HEADERS = ("id", "root_id", "origin", QUEUED_AT_HEADER)
OWN_PROPERTIES = ("correlation_id", "reply_to", "delivery_tag")


@pytest.fixture
def stack() -> Iterator[Stack]:
    with tempfile.TemporaryDirectory(prefix="kt-") as folder:
        stack = Stack(Path(folder), "default")
        stack.start_store()
        yield stack
        stack.stop()


def send_ours(stack: Stack) -> None:
    async def send() -> None:
        async with Redis.from_url(stack.redis_url) as redis:
            queue = LastingWire(redis, timeout_s=5)
            publisher = Publisher(queue, "api-1")
            await publisher.publish(MESSAGE)
            await publisher.announce_job("job_1")
            await queue.close()

    asyncio.run(send())


def send_celerys(stack: Stack) -> None:
    app = make_celery(load_settings(redis_url=stack.redis_url))
    for task, queue, argument in (
        (PREDICT_TASK, keys.INTERACTIVE_QUEUE, encode(MESSAGE).decode()),
        (JOBS_TASK, keys.BULK_QUEUE, "job_1"),
    ):
        app.send_task(
            task,
            args=(argument,),
            queue=queue,
            ignore_result=True,
            argsrepr=HIDDEN_ARGUMENTS,
            headers={QUEUED_AT_HEADER: 1.5},
        )
    app.close()


def take(stack: Stack, queue: str) -> tuple[dict[str, Any], Any, dict[str, str]]:
    """The one message of a queue without what is its own, its body, and the kinds of what is its own."""
    with stack.redis() as redis:
        (raw,) = redis.lrange(keys.queue(queue), 0, -1)
        redis.delete(keys.queue(queue))
    message = json.loads(raw)
    own = {name: type(message["headers"].pop(name)).__name__ for name in OWN_HEADERS}
    own |= {name: type(message["properties"].pop(name)).__name__ for name in OWN_PROPERTIES}
    return message, json.loads(base64.b64decode(message.pop("body"))), own


def test_a_message_is_the_one_that_celery_would_write(stack: Stack) -> None:
    send_ours(stack)
    ours = [take(stack, queue) for queue in (keys.INTERACTIVE_QUEUE, keys.BULK_QUEUE)]
    send_celerys(stack)

    assert ours == [take(stack, queue) for queue in (keys.INTERACTIVE_QUEUE, keys.BULK_QUEUE)]


def test_a_store_that_went_away_and_came_back_costs_the_first_message_nothing(stack: Stack) -> None:
    async def scenario() -> None:
        async with Redis.from_url(stack.redis_url) as redis:
            queue = LastingWire(redis, timeout_s=5)
            publisher = Publisher(queue, "api-1", timeout_s=5)
            await publisher.announce_job("job_1")
            stack.store.kill()
            with pytest.raises(StoreUnavailableError):
                await publisher.announce_job("job_2")
            await asyncio.to_thread(stack.start_store)
            await publisher.announce_job("job_3")
            assert await redis.llen(keys.queue(keys.BULK_QUEUE)) == 2
            await queue.close()

    asyncio.run(scenario())
