"""What a thread of the job service runs into, told apart: a store that is away, and a disk without room."""

import asyncio
import errno
import threading
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable

import pytest
from fakeredis import FakeRedis
from redis.exceptions import ConnectionError as RedisConnectionError

from api.access.keyring import Keyring
from api.http.caller import note_caller
from api.jobs.service import JobService
from api.uploads.opening import UploadRequest
from api.uploads.pull import Body, BodyPull
from shared.errors import DiskFullError, OverloadedError, RequestError, StoreUnavailableError
from shared.settings import Settings
from tests.support.happens import happens
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


async def pieces(*all_of_them: bytes) -> AsyncIterator[bytes]:
    for piece in all_of_them:
        yield piece


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


async def test_one_caller_gets_two_of_three_places_for_previews(
    jobs: JobService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.jobs.upload_slots.WAIT_S", 0.1)
    end, at_work = threading.Event(), []

    def read(_request: UploadRequest, _body: Body) -> dict[str, object]:
        at_work.append(1)
        end.wait(60)
        return {}

    monkeypatch.setattr(jobs._preview, "read", read)

    async def preview(address: str) -> dict[str, object]:
        note_caller({"type": "http", "client": (address, 1)}, None)
        body = BodyPull(pieces(b"text\na\n"), max_bytes=100, stall_s=1)
        return await jobs.preview(UploadRequest("everybody", "text/csv", {}, None), body)

    many = [asyncio.create_task(preview("1.1.1.1")) for _ in range(8)]
    await happens(lambda: sum(task.done() for task in many) >= 8 - 2)
    refused = [task.exception() for task in many if task.done()]
    another = asyncio.create_task(preview("2.2.2.2"))
    await happens(lambda: len(at_work) == 3 or another.done())
    is_working = not another.done()
    before_end = len(at_work)
    end.set()
    await asyncio.gather(another, *many, return_exceptions=True)

    assert is_working
    assert before_end == 3
    assert len(refused) == 8 - 2
    assert all(isinstance(error, OverloadedError) for error in refused)


async def test_a_preview_reads_a_large_body_to_its_end_and_keeps_none_of_it(jobs: JobService) -> None:
    """A client that is still sending would not see the answer; 64 of 8 MB at once were 160 MB."""
    read = 0

    async def rows() -> AsyncIterator[bytes]:
        nonlocal read
        yield b"text,number\n"
        for _ in range(128):
            read += 1
            yield b"a,1\n" * 16_384

    tracemalloc.start()
    body = BodyPull(rows(), max_bytes=1 << 30, stall_s=5)
    shown = await jobs.preview(UploadRequest("everybody", "text/csv", {}, None), body)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert (len(shown["rows"]), read) == (20, 128)
    assert peak < 4 << 20


async def test_json_bodies_are_made_into_previews_one_by_one(jobs: JobService, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is made of one is several times its size."""
    at_work, most = 0, 0

    def describe(*_: object) -> dict[str, object]:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        time.sleep(0.05)
        at_work -= 1
        return {}

    monkeypatch.setattr("api.jobs.preview._describe", describe)

    async def preview() -> None:
        body = BodyPull(pieces(b'{"texts": ', b'["a"]}'), max_bytes=100, stall_s=5)
        await jobs.preview(UploadRequest("everybody", "application/json", {}, None), body)

    await asyncio.gather(*(preview() for _ in range(3)))
    assert most == 1


async def test_a_faulty_file_is_told_at_the_end_of_its_body(jobs: JobService) -> None:
    body = BodyPull(pieces(b"a,b\n1,2\n", b"1,2\n" * 16_384), max_bytes=1 << 20, stall_s=5)
    request = UploadRequest("everybody", "text/csv", {"text_column": "none"}, None)
    with pytest.raises(RequestError, match="none"):
        await jobs.preview(request, body)
    assert body.received_bytes == 8 + 4 * 16_384
