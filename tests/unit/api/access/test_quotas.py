"""The rates of a key, counted in a real Valkey by two processes' worth of connections."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from api.access.principal import EVERYBODY, Principal
from api.access.quotas import Quotas
from shared.access.records import KeyLimits
from shared.errors import RateLimitedError, StoreUnavailableError, TooLargeError
from tests.support.valkey import running_valkey

pytestmark = pytest.mark.integration


@pytest.fixture
async def quotas() -> AsyncIterator[Quotas]:
    with running_valkey() as url:
        async with Redis.from_url(url) as redis:
            yield Quotas(redis)


def key_with(name: str = "key_1", **limits: int) -> Principal:
    return Principal(name, name, frozenset(), KeyLimits(**limits))


async def taken(quotas: Quotas, principal: Principal, texts: int, times: int) -> int:
    """How many of so many charges at once go through."""
    results = await asyncio.gather(
        *(quotas.charge(principal, {"texts_per_minute": texts}) for _ in range(times)), return_exceptions=True
    )
    assert all(result is None or isinstance(result, RateLimitedError) for result in results)
    return results.count(None)


async def test_so_many_go_through_at_once_as_the_rate_says_and_another_key_has_its_own(quotas: Quotas) -> None:
    # 6 a minute: the next one would be let through after ten seconds.
    assert await taken(quotas, key_with(texts_per_minute=6), texts=1, times=20) == 6
    assert await taken(quotas, key_with("key_2", texts_per_minute=6), texts=3, times=20) == 2


async def test_the_refusal_says_when_there_is_room_for_this_request(quotas: Quotas) -> None:
    key = key_with(texts_per_minute=60)
    await quotas.charge(key, {"texts_per_minute": 60})
    with pytest.raises(RateLimitedError, match="60 texts a minute") as refusal:
        await quotas.charge(key, {"texts_per_minute": 30})

    assert 28 <= refusal.value.retry_after_s <= 30


async def test_room_comes_back_with_time(quotas: Quotas) -> None:
    key = key_with(texts_per_minute=6_000)
    await quotas.charge(key, {"texts_per_minute": 6_000})
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            return await quotas.charge(key, {"texts_per_minute": 10})
        except RateLimitedError:
            await asyncio.sleep(0.02)
    raise AssertionError("it never came back")


async def test_a_request_beyond_the_rate_is_told_so_and_costs_nothing(quotas: Quotas) -> None:
    key = key_with(texts_per_minute=6)
    with pytest.raises(TooLargeError, match="has 7, and the key may have 6 texts a minute"):
        await quotas.charge(key, {"texts_per_minute": 7})

    assert await taken(quotas, key, texts=6, times=1) == 1


async def test_what_one_rate_refuses_the_other_does_not_count(quotas: Quotas) -> None:
    key = key_with(requests_per_minute=2, bytes_per_day=100)
    await quotas.charge(key, {"requests_per_minute": 1, "bytes_per_day": 90})
    for _ in range(3):
        with pytest.raises(RateLimitedError, match="100 bytes in 24 hours"):
            await quotas.charge(key, {"requests_per_minute": 1, "bytes_per_day": 90})

    await quotas.charge(key, {"requests_per_minute": 1, "bytes_per_day": 5})


async def test_a_lowered_limit_and_a_clock_that_was_set_back_lock_nobody_out_for_longer_than_a_period(
    quotas: Quotas,
) -> None:
    far = int(time.time() * 1000) + 10**9
    await quotas._redis.set("kobert:access:quota:key_1:texts_per_minute", far)
    with pytest.raises(RateLimitedError) as refusal:
        await quotas.charge(key_with(texts_per_minute=6), {"texts_per_minute": 1})

    assert refusal.value.retry_after_s == 10


async def test_every_count_expires(quotas: Quotas) -> None:
    await quotas.charge(key_with(texts_per_minute=6, bytes_per_day=9), {"texts_per_minute": 1, "bytes_per_day": 9})

    ages = [await quotas._redis.pttl(key) for key in await quotas._redis.keys("*")]
    assert len(ages) == 2
    assert all(0 < age <= 24 * 3_600_000 for age in ages)


async def test_without_a_store_a_key_with_rates_is_refused_and_others_do_not_ask_it() -> None:
    async with Redis(host="127.0.0.1", port=1) as unreachable:
        quotas = Quotas(unreachable)
        await quotas.charge(EVERYBODY, {"texts_per_minute": 1})
        await quotas.charge(key_with(requests_per_minute=1), {"texts_per_minute": 1})
        with pytest.raises(StoreUnavailableError):
            await quotas.charge(key_with(texts_per_minute=1), {"texts_per_minute": 1})
