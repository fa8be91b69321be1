"""What the API does when the settings of its store change while it runs: a real server."""

from collections.abc import Iterator

import pytest
from redis import Redis

from api.store_watch import StoreWatch
from shared import keys
from shared.errors import StoreUnfitError
from shared.settings import Settings
from tests.support.valkey import running_valkey

pytestmark = pytest.mark.integration


@pytest.fixture
def redis() -> Iterator[Redis]:
    with running_valkey(appendonly="yes", maxmemory="64mb") as url, Redis.from_url(url) as client:
        yield client


async def test_a_store_that_begins_to_evict_is_refused_until_it_is_set_right(redis: Redis) -> None:
    watch = StoreWatch(redis, Settings())
    assert await watch.look()
    watch.require_fit()
    assert watch.warnings == []

    redis.config_set("maxmemory-policy", "allkeys-lru")
    assert await watch.look()
    with pytest.raises(StoreUnfitError, match="set maxmemory-policy noeviction"):
        watch.require_fit()

    redis.config_set("maxmemory-policy", "noeviction")
    assert await watch.look()
    watch.require_fit()


async def test_with_warn_it_is_said_and_not_refused(redis: Redis) -> None:
    watch = StoreWatch(redis, Settings(store_checks="warn"))
    redis.config_set("maxmemory-policy", "allkeys-lru")
    assert await watch.look()
    watch.require_fit()
    assert len(watch.warnings) == 1


async def test_with_off_nothing_is_asked(redis: Redis) -> None:
    watch = StoreWatch(redis, Settings(store_checks="off"))
    redis.config_set("maxmemory-policy", "allkeys-lru")
    watch.start()
    await watch.close()
    watch.require_fit()


async def test_an_embedded_store_that_does_not_write_to_its_disk_is_said(redis: Redis) -> None:
    watch = StoreWatch(redis, Settings())
    redis.set(keys.STORE_PAUSED, "disk full")
    assert await watch.look()
    (warning,) = watch.warnings
    assert "disk is full" in warning


async def test_a_store_that_is_away_changes_nothing() -> None:
    with Redis(port=1) as nowhere:
        watch = StoreWatch(nowhere, Settings())
        assert not await watch.look()
        watch.require_fit()
