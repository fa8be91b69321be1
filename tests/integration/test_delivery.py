"""Messages of texts in a worker: acknowledged late, in kombu's own form, and delivered again."""

import asyncio
import json
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kombu import Connection
from kombu.transport import redis as kombu_redis
from redis.asyncio import Redis

from api.queue.publisher import Publisher
from api.queue.store_wire import LastingWire
from shared import keys, redis_url
from shared.celery_app import make_celery
from shared.messages import PredictMessage, Reply, TextItem, decode
from shared.settings import load_settings
from tests.support.stack import Stack, wait_until
from worker.command_writer import CommandWriter
from worker.delivery import Delivery
from worker.transport import PromptTransport

pytestmark = pytest.mark.integration

API = "api-1"


@pytest.fixture
def stack(echo_bundle: Path) -> Iterator[Stack]:
    """A store and no API, so that nothing is sent again but by Celery."""
    with tempfile.TemporaryDirectory(prefix="kt-") as folder:
        stack = Stack(Path(folder), echo_bundle, visibility_timeout_s=2, task_threads=2)
        stack.start_store()
        yield stack
        stack.stop()


def publish(stack: Stack, texts: list[str], first_id: int = 1) -> None:
    async def send() -> None:
        async with Redis.from_url(stack.redis_url) as redis:
            items = [TextItem(number, text) for number, text in enumerate(texts, first_id)]
            queue = LastingWire(redis, timeout_s=5)
            await Publisher(queue, API).publish(PredictMessage(reply_to=API, deadline=time.time() + 60, items=items))
            await queue.close()

    asyncio.run(send())


def answered(stack: Stack) -> list[int]:
    """The ids of the texts that were answered."""
    with stack.redis() as redis:
        entries: Any = redis.xrange(keys.replies(API))
    return sorted(answer.id for _, fields in entries for answer in decode(fields[b"reply"], Reply).answers)


def unacknowledged(stack: Stack) -> tuple[int, int]:
    """How many messages a worker has, by both of kombu's keys."""
    with stack.redis() as redis:
        return redis.zcard(keys.UNACKED_INDEX), redis.hlen(keys.UNACKED)


def test_a_message_in_hand_is_noted_as_kombu_notes_it(stack: Stack) -> None:
    options = make_celery(load_settings(redis_url=stack.redis_url)).conf.broker_transport_options
    url = redis_url.for_celery(stack.redis_url)
    noted: list[tuple[list[Any], list[str]]] = []
    for transport in (kombu_redis.Transport, PromptTransport):
        publish(stack, ["하나"])
        connection: Any = Connection(url, transport_options=options)
        connection.transport_cls = transport
        with connection, stack.redis() as redis:
            message = connection.default_channel.basic_get(keys.INTERACTIVE_QUEUE)
            if transport is PromptTransport:
                assert unacknowledged(stack) == (0, 0)
                Delivery(message, CommandWriter(redis), wake=lambda: None).note()
            ((tag, delivered_at),) = redis.zrange(keys.UNACKED_INDEX, 0, -1, withscores=True)
            raw, exchange, queue = json.loads(redis.hgetall(keys.UNACKED)[tag])
            assert abs(delivered_at - time.time()) < 60
            assert tag.decode() == raw["properties"]["delivery_tag"]
            noted.append(([exchange, queue, sorted(raw), sorted(raw["properties"])], sorted(raw["headers"])))
            redis.flushall()

    assert noted[0] == noted[1]


def test_a_message_is_delivered_again_when_its_worker_is_killed_before_its_last_answer(stack: Stack) -> None:
    worker = stack.add_worker(echo_hang="둘")
    publish(stack, ["하나", "둘"])
    wait_until(lambda: unacknowledged(stack) == (1, 1), "the delivery of the message")
    worker.kill()
    stack.add_worker()

    wait_until(lambda: answered(stack) == [1, 2], "the answers of another worker")
    wait_until(lambda: unacknowledged(stack) == (0, 0), "the acknowledgement")


def test_more_messages_than_threads_are_answered_and_acknowledged(stack: Stack) -> None:
    stack.add_worker(echo_pass_s=0.01)
    for number in range(1, 41):
        publish(stack, [f"글 {number}"], number)

    wait_until(lambda: answered(stack) == list(range(1, 41)), "the last answer")
    wait_until(lambda: unacknowledged(stack) == (0, 0), "the last acknowledgement")


def test_a_message_that_cannot_be_read_is_dropped_and_the_next_one_is_answered(stack: Stack) -> None:
    with stack.redis() as redis:
        publish(stack, ["하나"])
        raw = json.loads(redis.rpop(keys.queue(keys.INTERACTIVE_QUEUE)))
        redis.lpush(keys.queue(keys.INTERACTIVE_QUEUE), json.dumps({**raw, "body": "W10="}))
    publish(stack, ["둘"], 2)
    stack.add_worker()

    wait_until(lambda: answered(stack) == [2], "the answer to the good message")
    assert unacknowledged(stack) == (0, 0)
    assert any(event["event"] == "message_unreadable" for event in stack.events())


def test_the_message_in_hand_at_sigterm_is_answered(stack: Stack) -> None:
    worker = stack.add_worker(echo_pass_s=1)
    publish(stack, ["하나"])
    wait_until(lambda: unacknowledged(stack) == (1, 1), "the delivery of the message")

    assert worker.kill(signal.SIGTERM) == 0
    assert answered(stack) == [1]
