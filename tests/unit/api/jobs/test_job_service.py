"""What a thread of the job service runs into, told apart: a store that is away, and a disk without room."""

import asyncio
import errno
import threading
from collections.abc import AsyncIterator, Callable

import pytest
from fakeredis import FakeRedis
from redis.exceptions import ConnectionError as RedisConnectionError

from api.access.keyring import Keyring
from api.http.caller import note_caller
from api.jobs.preview import HeldBody
from api.jobs.service import JobService
from api.uploads.opening import UploadRequest
from shared.errors import DiskFullError, OverloadedError, StoreUnavailableError
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


async def test_previews_take_the_places_of_uploads_and_leave_one_to_others(
    jobs: JobService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.jobs.upload_slots.WAIT_S", 0.1)
    end, at_work = threading.Event(), []

    def read(_request: UploadRequest, _body: HeldBody) -> dict[str, object]:
        at_work.append(1)
        end.wait(10)
        return {}

    monkeypatch.setattr(jobs._preview, "read", read)

    async def preview(address: str) -> dict[str, object]:
        note_caller({"type": "http", "client": (address, 1)}, None)
        return await jobs.preview(UploadRequest("everybody", "text/csv", {}, None), HeldBody(b"text\na\n"))

    many = [asyncio.create_task(preview("1.1.1.1")) for _ in range(8)]
    await asyncio.wait(many, timeout=1)
    refused = [task.exception() for task in many if task.done()]
    another = asyncio.create_task(preview("2.2.2.2"))
    await asyncio.wait([another], timeout=0.3)
    is_working = not another.done()
    before_end = len(at_work)
    end.set()
    await asyncio.gather(another, *many, return_exceptions=True)

    assert is_working
    assert before_end == 1
    assert len(refused) == 8 - 3
    assert all(isinstance(error, OverloadedError) for error in refused)
