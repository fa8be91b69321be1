"""What several files of integration tests share."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from tests.support.stack import Stack, running_stack, wait_until
from tests.support.two_apis import PLAIN, TwoApis


@pytest.fixture(scope="module")
def stack(echo_bundle: Path) -> Iterator[Stack]:
    """A shared stack for the tests that break nothing."""
    with (
        tempfile.TemporaryDirectory(prefix="kt-") as folder,
        running_stack(Path(folder), echo_bundle, job_chunk_rows=50, job_poll_s=0.5) as running,
    ):
        yield running


@pytest.fixture
async def redis(short_tmp: Path) -> AsyncIterator[Redis]:
    """A client of a store of the test's own, with no service beside it."""
    stack = Stack(short_tmp, "default")
    stack.start_store()
    async with Redis.from_url(stack.redis_url) as client:
        yield client
    stack.stop()


@pytest.fixture(scope="session")
def two(echo_bundle: Path) -> Iterator[TwoApis]:
    """Two API processes for the tests of keys."""
    settings: dict[str, Any] = {
        "api_keys": PLAIN,
        "job_poll_s": 0.5,
        "max_wrong_keys_per_minute": 6_000,
        "max_open_jobs": 8,
        "closed_routes": "metrics,docs",
    }
    with (
        tempfile.TemporaryDirectory(prefix="kt-") as folder,
        running_stack(Path(folder), echo_bundle, **settings) as stack,
    ):
        two = TwoApis(stack)
        # Each change of a key waits for the disk, which the store otherwise writes once a second.
        with stack.redis() as redis:
            redis.config_set("appendfsync", "always")
        two.second.start()
        try:
            wait_until(two.both_answer, "the second API's first answer")
            yield two
        finally:
            two.second.stop()
