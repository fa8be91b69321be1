"""What a key is told that it holds, and what is left of its rates, in a real Valkey."""

import time

import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from api.access.holdings import Holdings, HoldingsReader
from api.access.principal import Principal
from api.access.quotas import Quotas
from shared import keys
from shared.access.records import NO_LIMITS, KeyLimits
from shared.lua_script import run_script
from shared.usage.scripts import source_of

pytestmark = pytest.mark.integration


def test_a_key_without_anything_holds_nothing(redis: Redis) -> None:
    reader = HoldingsReader(redis)
    assert reader.of("a", "a") == Holdings(0, 0, 0, 0, 0, 0)
    assert reader.left("a", NO_LIMITS) == {}
    assert reader.left("a", KeyLimits(texts_per_minute=600, open_jobs=3)) == {"texts_per_minute": 600}
    assert not list(redis.scan_iter())


def test_what_has_expired_is_no_longer_held(redis: Redis) -> None:
    redis.set("here", 1)
    for key, bytes_, ends_s in (("here", 5, 4_000_000_000), ("gone", 7, int(time.time()) - 1)):
        run_script(redis, source_of("begin"), [], ["a", key, bytes_, ends_s])
    redis.persist(keys.USAGE + "a")
    redis.persist(keys.USAGE_ENDS + "a")
    assert HoldingsReader(redis).of("a", "a").stored_bytes == 5


def test_open_jobs_are_those_of_the_owner(redis: Redis) -> None:
    for job, owner in (("j1", "a"), ("j2", "b"), ("j3", "a")):
        redis.hset(keys.JOB + job, "owner", owner)
        redis.zadd(keys.JOBS_OPEN, {job: 1})
    reader = HoldingsReader(redis)
    assert [reader.of(owner, owner).open_jobs for owner in "abc"] == [2, 1, 0]


async def test_what_is_left_of_a_rate_is_what_can_still_be_charged(redis: Redis, url: str) -> None:
    limits = KeyLimits(requests_per_minute=10, bytes_per_day=1_000_000)
    reader, principal = HoldingsReader(redis), Principal("a", "a", frozenset(), limits)
    async with AsyncRedis.from_url(url) as client:
        await Quotas(client).charge(principal, {"requests_per_minute": 1, "bytes_per_day": 600_000})
        left = reader.left("a", limits)
        # A day gives back a hundred bytes or so in the time that this takes; a minute, a request in six seconds.
        assert 400_000 <= left["bytes_per_day"] < 500_000
        assert left["requests_per_minute"] in {9, 10}
        await Quotas(client).charge(principal, {"bytes_per_day": left["bytes_per_day"]})
    assert reader.left("a", limits)["bytes_per_day"] < left["bytes_per_day"]
