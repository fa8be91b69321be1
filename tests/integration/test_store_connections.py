"""Connections to the store: as many from the start as are ever needed, so that they do not become more for hours."""

from concurrent.futures import ThreadPoolExecutor
from time import sleep

import httpx
import pytest

from api.jobs.connections import connect, open_ahead
from tests.support.stack import Stack, wait_until

pytestmark = pytest.mark.integration

# Longer than the rounds in which processes look at the store.
SETTLED_S = 2
PATHS = ("/jobs", "/corrections", "/reviews")


def connection_count(stack: Stack) -> int:
    with stack.redis() as redis:
        return len(redis.client_list())


def settled_count(stack: Stack) -> int:
    """The connections once no more are being opened: on a busy machine a worker may still begin its own rounds."""
    counts = [connection_count(stack)]

    def is_settled() -> bool:
        sleep(SETTLED_S / 4)
        counts.append(connection_count(stack))
        return len(counts) > 9 and len(set(counts[-10:])) == 1

    wait_until(is_settled, "connections that settle")
    return counts[-1]


def test_jobs_corrections_and_reviews_share_connections_that_are_open_from_the_start(stack: Stack) -> None:
    wait_until(lambda: httpx.get(f"{stack.url}/jobs").status_code == 200, "an answer of the ledger")
    at_first = settled_count(stack)

    with ThreadPoolExecutor(12) as callers:
        statuses = list(callers.map(lambda number: httpx.get(f"{stack.url}{PATHS[number % 3]}").status_code, range(90)))

    assert set(statuses) == {200}
    # A worker or the API may begin a round of its own meanwhile; twelve callers at once would open a dozen.
    assert connection_count(stack) - at_first <= 1


def test_connections_that_are_opened_ahead_are_those_that_are_used(stack: Stack) -> None:
    before = connection_count(stack)
    redis = connect(stack.redis_url)
    open_ahead(redis, 5)
    open_ahead(redis, 5)

    with ThreadPoolExecutor(5) as threads:
        assert all(threads.map(lambda _: redis.ping(), range(50)))

    assert connection_count(stack) == before + 5
    redis.close()
