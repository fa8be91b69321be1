"""The reply stream's reader against a real Valkey that loses connections, entries and its memory."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from redis.asyncio import Redis

from api.queue import reply_reader
from api.queue.reply_reader import ReplyReader
from shared import keys
from shared.messages import Answer, Reply, encode
from shared.verdict import Failure

pytestmark = pytest.mark.integration

STREAM = keys.replies("api-1")


class Mailbox:
    """A reader, and the ids of the texts whose answers it has read."""

    def __init__(self, redis: Redis) -> None:
        self.ids: list[int] = []
        self.losses = 0
        self.reader = ReplyReader(redis, "api-1", self._note, self._lose)

    def _note(self, answers: Sequence[Answer]) -> None:
        self.ids += [answer.id for answer in answers]

    def _lose(self) -> None:
        self.losses += 1

    async def wait_for(self, ids: list[int]) -> None:
        async with asyncio.timeout(10):
            while self.ids != ids:
                await asyncio.sleep(0.02)


@pytest.fixture
async def mailbox(redis: Redis) -> AsyncIterator[Mailbox]:
    async with Redis.from_url("unix://" + redis.connection_pool.connection_kwargs["path"]) as own:
        mailbox = Mailbox(own)
        mailbox.reader.start()
        yield mailbox
        await mailbox.reader.close()


def reply(text_id: int) -> dict[Any, Any]:
    return {"reply": encode(Reply(worker_id="w", answers=[Answer(id=text_id, failure=Failure("c", "m"))]))}


async def test_answers_are_read_in_order(redis: Redis, mailbox: Mailbox) -> None:
    for text_id in (1, 2, 3):
        await redis.xadd(STREAM, reply(text_id))
    await mailbox.wait_for([1, 2, 3])


async def test_after_a_lost_connection_reading_goes_on_and_nothing_is_read_twice(
    redis: Redis, mailbox: Mailbox
) -> None:
    await redis.xadd(STREAM, reply(1))
    await mailbox.wait_for([1])
    await redis.client_kill_filter(_type="normal", skipme=True)
    await redis.xadd(STREAM, reply(2))
    await mailbox.wait_for([1, 2])


async def test_a_time_out_alone_is_no_lost_store(
    redis: Redis, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when this process stood still for some seconds: texts were refused for a second after it."""
    monkeypatch.setattr(reply_reader, "READ_TIMEOUT_S", 0.05)
    await asyncio.sleep(1.5)
    monkeypatch.setattr(reply_reader, "READ_TIMEOUT_S", 60)
    await redis.xadd(STREAM, reply(1))
    await mailbox.wait_for([1])

    assert mailbox.losses == 0


async def test_an_entry_that_cannot_be_read_does_not_stop_the_next(redis: Redis, mailbox: Mailbox) -> None:
    await redis.xadd(STREAM, {"reply": b"{}"})
    await redis.xadd(STREAM, {"other": b""})
    await redis.xadd(STREAM, reply(3))
    await mailbox.wait_for([3])


async def test_a_store_that_comes_back_empty_with_an_earlier_clock_is_read_from_its_start(
    redis: Redis, mailbox: Mailbox
) -> None:
    await redis.xadd(STREAM, reply(1), id="9000-0")
    await mailbox.wait_for([1])
    await redis.delete(STREAM)
    await redis.xadd(STREAM, reply(2), id="5-0")
    await redis.client_kill_filter(_type="normal", skipme=True)
    await mailbox.wait_for([1, 2])


async def test_a_key_of_another_type_is_survived(redis: Redis, mailbox: Mailbox) -> None:
    await redis.set(STREAM, "not a stream")
    async with asyncio.timeout(10):
        while not mailbox.losses:
            await asyncio.sleep(0.02)
    await redis.delete(STREAM)
    await redis.xadd(STREAM, reply(1))
    await mailbox.wait_for([1])


async def test_a_stream_that_begins_anew_by_an_earlier_clock_is_read_without_a_lost_connection(
    redis: Redis, mailbox: Mailbox
) -> None:
    """The clock was set back, and the stream expired while nobody asked: no answer was read until it caught up."""
    await redis.xadd(STREAM, reply(1), id="9999999999999-0")
    await mailbox.wait_for([1])
    await redis.delete(STREAM)
    await redis.xadd(STREAM, reply(2))

    await mailbox.wait_for([1, 2])
    assert mailbox.losses == 0
