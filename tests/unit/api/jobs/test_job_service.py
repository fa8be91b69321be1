"""What a thread of the job service runs into, told apart: a store that is away, and a disk without room."""

import errno
from collections.abc import AsyncIterator, Callable

import pytest
from fakeredis import FakeRedis
from redis.exceptions import ConnectionError as RedisConnectionError

from api.access.keyring import Keyring
from api.jobs.service import JobService
from shared.errors import DiskFullError, StoreUnavailableError
from shared.settings import Settings
from tests.support.job_parts import rules_of_any_model


class SilentAnnouncer:
    """A queue that takes every announcement."""

    def __init__(self) -> None:
        self.announced: list[str] = []

    async def announce_job(self, job_id: str) -> None:
        self.announced.append(job_id)


@pytest.fixture
async def jobs() -> AsyncIterator[JobService]:
    redis = FakeRedis()
    service = JobService(Settings(), redis, SilentAnnouncer(), rules_of_any_model(redis), Keyring())
    yield service
    await service.close()


def failing(error: Exception) -> Callable[[], None]:
    def work() -> None:
        raise error

    return work


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
async def test_a_full_disk_is_not_called_a_lost_store(jobs: JobService, number: int) -> None:
    with pytest.raises(DiskFullError, match="no disk space for a parquet file"):
        await jobs.run(failing(OSError(number, "no room")))


@pytest.mark.parametrize("error", [RedisConnectionError("gone"), ConnectionResetError(errno.ECONNRESET, "gone")])
async def test_a_lost_connection_is_a_lost_store(jobs: JobService, error: Exception) -> None:
    with pytest.raises(StoreUnavailableError):
        await jobs.run(failing(error))
