"""A real Valkey, empty, for tests about what the API keeps there."""

from collections.abc import Iterator

import pytest
from redis import Redis

from tests.support.valkey import running_valkey


@pytest.fixture
def url() -> Iterator[str]:
    with running_valkey() as url:
        yield url


@pytest.fixture
def redis(url: str) -> Iterator[Redis]:
    with Redis.from_url(url) as client:
        yield client
