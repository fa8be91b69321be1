"""Connections to the store: as many from the start as are ever needed, so that they do not become more for hours."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from api.jobs.connections import LIBRARY_NAME, connect, open_ahead
from tests.support.stack import Stack, wait_until

pytestmark = pytest.mark.integration

PATHS = ("/jobs", "/corrections", "/reviews")


def connection_count(stack: Stack) -> int:
    with stack.redis() as redis:
        return sum(client["lib-name"] == LIBRARY_NAME for client in redis.client_list())


def test_jobs_corrections_and_reviews_share_connections_that_are_open_from_the_start(stack: Stack) -> None:
    wait_until(lambda: httpx.get(f"{stack.url}/jobs").status_code == 200, "an answer of the ledger")
    at_first = connection_count(stack)

    with ThreadPoolExecutor(12) as callers:
        statuses = list(callers.map(lambda number: httpx.get(f"{stack.url}{PATHS[number % 3]}").status_code, range(90)))

    assert set(statuses) == {200}
    assert connection_count(stack) == at_first > 1


def test_connections_that_are_opened_ahead_are_those_that_are_used(stack: Stack) -> None:
    before = connection_count(stack)
    redis = connect(stack.redis_url)
    open_ahead(redis, 5)
    open_ahead(redis, 5)

    with ThreadPoolExecutor(5) as threads:
        assert all(threads.map(lambda _: redis.ping(), range(50)))

    assert connection_count(stack) == before + 5
    redis.close()
