"""A real Valkey that is empty at the start of each test, and a ledger on it."""

from collections.abc import Iterator

import pytest
from redis import Redis

from shared import keys
from shared.jobs.ledger import Ledger
from tests.support.job_parts import JobParts
from tests.support.ledger_jobs import SETTINGS
from tests.support.valkey import running_valkey


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with running_valkey() as url:
        yield url


@pytest.fixture
def redis(server: str) -> Iterator[Redis]:
    with Redis.from_url(server) as client:
        client.flushall()
        yield client


@pytest.fixture
def parts(redis: Redis) -> JobParts:
    return JobParts(redis, SETTINGS)


@pytest.fixture
def ledger(redis: Redis) -> Ledger:
    redis.set(keys.worker("w"), "alive")
    return Ledger(redis, SETTINGS)
