"""A connection without redis-py's layers says what theirs would, and never takes one command's reply for another's."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from api.queue.store_wire import LastingWire, StoreWire

pytestmark = pytest.mark.integration


@pytest.fixture
async def wire(redis: Redis) -> AsyncIterator[StoreWire]:
    wire = await StoreWire.open(redis)
    yield wire
    await wire.close()


async def test_replies_come_as_they_are_however_large(wire: StoreWire) -> None:
    large = b"\x00\r\n" * 1_000_000
    assert await wire.ask("SET", "a", large, timeout_s=5) == b"OK"
    assert await wire.ask("GET", "a", timeout_s=5) == large
    assert await wire.ask("GET", "nothing", timeout_s=5) is None
    assert await wire.ask("LPUSH", "b", b"1", "2", 3, timeout_s=5) == 3
    assert await wire.ask("LRANGE", "b", 0, -1, timeout_s=5) == [b"3", b"2", b"1"]


async def test_a_refusal_is_the_error_that_redis_py_has_for_it_and_the_next_command_is_answered(
    redis: Redis, wire: StoreWire
) -> None:
    with pytest.raises(ResponseError, match="wrong number"):
        await wire.ask("GET", timeout_s=5)
    await redis.config_set("maxmemory", 1)
    with pytest.raises(OutOfMemoryError):
        await wire.ask("LPUSH", "a", b"1", timeout_s=5)

    assert await wire.ask("PING", timeout_s=5) == b"PONG"


async def test_user_password_and_database_are_those_of_the_address(redis: Redis) -> None:
    await redis.acl_setuser("writer", enabled=True, passwords=["+secret"], keys=["*"], commands=["+@all"])
    path = redis.connection_pool.connection_kwargs["path"]
    async with Redis.from_url(f"unix://writer:secret@{path}?db=3") as other:
        wire = await StoreWire.open(other)
        assert await wire.ask("ACL", "WHOAMI", timeout_s=5) == b"writer"
        await wire.ask("SET", "a", b"1", timeout_s=5)
        assert await other.get("a") == b"1"
        await wire.close()
    assert await redis.get("a") is None


async def test_after_a_command_that_was_given_up_or_too_slow_there_is_no_next_one(redis: Redis) -> None:
    slow = await StoreWire.open(redis)
    with pytest.raises(RedisTimeoutError):
        await slow.ask("BLPOP", "nothing", 5, timeout_s=0.1)
    given_up = await StoreWire.open(redis)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await given_up.ask("BLPOP", "nothing", 5, timeout_s=5)

    for wire in (slow, given_up):
        with pytest.raises(RedisConnectionError):
            await wire.ask("PING", timeout_s=5)
        await wire.close()


async def test_a_lost_connection_fails_the_command_that_waits(redis: Redis, wire: StoreWire) -> None:
    waiting = asyncio.create_task(wire.ask("BLPOP", "nothing", 5, timeout_s=9))
    await asyncio.sleep(0.1)
    await redis.client_kill_filter(_type="normal", skipme=True)

    with pytest.raises(RedisConnectionError):
        await waiting


async def test_a_lasting_wire_goes_on_after_its_connection_was_lost_and_keeps_the_order(redis: Redis) -> None:
    wire = LastingWire(redis, timeout_s=5)
    await wire.lpush("a", b"0")
    await redis.client_kill_filter(_type="normal", skipme=True)
    await asyncio.gather(*(wire.lpush("a", b"%d" % number) for number in range(1, 6)))

    assert await redis.lrange("a", 0, -1) == [b"5", b"4", b"3", b"2", b"1", b"0"]
    await wire.close()


async def test_what_is_sent_at_once_is_in_order_with_the_rest(redis: Redis) -> None:
    wire = LastingWire(redis, timeout_s=5)
    assert not wire.is_open
    await wire.lpush("a", b"0")
    assert wire.is_open
    now = [wire.lpush_now("a", b"%d" % number) for number in range(1, 4)]
    await wire.lpush("a", b"4")
    await asyncio.gather(*now)

    assert await redis.lrange("a", 0, -1) == [b"4", b"3", b"2", b"1", b"0"]
    await wire.close()


async def test_what_was_sent_at_once_on_a_lost_connection_is_sent_again(redis: Redis) -> None:
    wire = LastingWire(redis, timeout_s=5)
    await wire.lpush("a", b"0")
    await redis.client_kill_filter(_type="normal", skipme=True)
    # The loss may have been read by now, or not.
    await wire.lpush_now("a", b"1")

    assert await redis.lrange("a", 0, -1) == [b"1", b"0"]
    await wire.close()


async def test_what_is_sent_at_once_on_a_connection_that_is_known_to_be_lost_goes_over_a_new_one(redis: Redis) -> None:
    wire = LastingWire(redis, timeout_s=5)
    await wire.lpush("a", b"0")
    await redis.client_kill_filter(_type="normal", skipme=True)
    async with asyncio.timeout(5):
        while wire.is_open:
            await asyncio.sleep(0.01)

    await wire.lpush_now("a", b"1")

    assert await redis.lrange("a", 0, -1) == [b"1", b"0"]
    await wire.close()


async def test_who_takes_a_reply_has_it_first_and_its_fault_is_that_of_the_command(wire: StoreWire) -> None:
    taken: list[object] = []
    assert await wire.ask("ECHO", b"a", timeout_s=5, taker=taken.append) == b"a"
    assert taken == [b"a"]

    def fail(_: object) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await wire.ask("ECHO", b"b", timeout_s=5, taker=fail)
    with pytest.raises(ResponseError):
        await wire.ask("GET", timeout_s=5, taker=taken.append)
    assert await wire.ask("ECHO", b"c", timeout_s=5) == b"c"
    assert taken == [b"a"]
