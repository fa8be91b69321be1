"""What several files of integration tests share."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from tests.support.stack import Stack, running_stack


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
