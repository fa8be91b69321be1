"""What a thread of the job desk runs into, told apart: a store that is away, and a disk without room."""

import errno
from collections.abc import Callable
from unittest.mock import MagicMock

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from api.jobs.desk import JobDesk
from shared.errors import DiskFullError, StoreUnavailableError
from shared.settings import Settings


@pytest.fixture
def desk() -> JobDesk:
    return JobDesk(Settings(), MagicMock(), MagicMock(), MagicMock())


def failing(error: Exception) -> Callable[[], None]:
    def work() -> None:
        raise error

    return work


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
async def test_a_full_disk_is_not_called_a_lost_store(desk: JobDesk, number: int) -> None:
    with pytest.raises(DiskFullError, match="csv and jsonl need none"):
        await desk.run(failing(OSError(number, "no room")))


@pytest.mark.parametrize("error", [RedisConnectionError("gone"), ConnectionResetError(errno.ECONNRESET, "gone")])
async def test_a_lost_connection_is_a_lost_store(desk: JobDesk, error: Exception) -> None:
    with pytest.raises(StoreUnavailableError):
        await desk.run(failing(error))
