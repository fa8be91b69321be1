"""The publisher against a Redis whose faults the test decides."""

import asyncio
import base64
import json
from collections.abc import Coroutine
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from api.queue.publisher import Publisher
from shared import keys
from shared.errors import StoreUnavailableError
from shared.messages import PredictMessage, TextItem, decode
from shared.tasks import JOBS_TASK, PREDICT_TASK


class Lists:
    """Takes messages as Redis does. `faults` fail the next ones, `may_answer` holds them up."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, dict]] = []
        self.faults: list[Exception] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def lpush(self, key: str, value: bytes) -> None:
        await self.may_answer.wait()
        if self.faults:
            raise self.faults.pop(0)
        self.taken.append((key, json.loads(value)))

    is_open = True

    def lpush_now(self, key: str, value: bytes) -> Coroutine[Any, Any, None]:
        return self.lpush(key, value)


def argument_of(message: dict) -> str:
    return json.loads(base64.b64decode(message["body"]))[0][0]


@pytest.fixture
async def lists() -> Lists:
    return Lists()


@pytest.fixture
async def publisher(lists: Lists) -> Publisher:
    return Publisher(lists, "api-1", timeout_s=60)


async def test_texts_and_announcements_go_to_their_own_queues(publisher: Publisher, lists: Lists) -> None:
    sent = PredictMessage(reply_to="api-1", deadline=1.0, items=[TextItem(1, "댓글")])
    await publisher.publish(sent)
    await publisher.announce_job("job_1")

    (queue, message), (jobs_queue, announcement) = lists.taken
    assert (queue, message["headers"]["task"]) == (keys.queue(keys.INTERACTIVE_QUEUE), PREDICT_TASK)
    assert decode(argument_of(message), PredictMessage) == sent
    assert (jobs_queue, announcement["headers"]["task"]) == (keys.queue(keys.BULK_QUEUE), JOBS_TASK)
    assert argument_of(announcement) == "job_1"


async def test_a_message_that_left_at_once_is_the_same_and_its_faults_are_named(
    publisher: Publisher, lists: Lists
) -> None:
    sent = PredictMessage(reply_to="api-1", deadline=1.0, items=[TextItem(1, "댓글")])
    await publisher.publish_now(sent)
    ((queue, message),) = lists.taken
    assert (queue, message["headers"]["task"]) == (keys.queue(keys.INTERACTIVE_QUEUE), PREDICT_TASK)
    assert decode(argument_of(message), PredictMessage) == sent

    lists.faults = [RedisConnectionError("gone")]
    with pytest.raises(StoreUnavailableError):
        await publisher.publish_now(sent)


async def test_a_store_that_is_away_is_named_and_the_next_message_leaves(publisher: Publisher, lists: Lists) -> None:
    lists.faults = [RedisConnectionError("gone")]
    with pytest.raises(StoreUnavailableError):
        await publisher.announce_job("job_1")
    await publisher.announce_job("job_2")

    assert [argument_of(message) for _, message in lists.taken] == ["job_2"]


async def test_a_bug_is_not_called_a_lost_store(publisher: Publisher, lists: Lists) -> None:
    lists.faults = [ZeroDivisionError()]
    with pytest.raises(ZeroDivisionError):
        await publisher.announce_job("job_1")


async def test_a_command_that_hangs_ends_as_a_lost_store(lists: Lists) -> None:
    publisher = Publisher(lists, "api-1", timeout_s=0.05)
    lists.may_answer.clear()
    with pytest.raises(StoreUnavailableError):
        await publisher.announce_job("hangs")
