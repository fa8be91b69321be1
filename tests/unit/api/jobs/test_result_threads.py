import asyncio
import queue
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from api.http.caller import Caller, Presence, note_caller
from api.jobs import result_files
from api.jobs.results import ResultStream, Selection
from api.jobs.temporary_file import TemporaryFileResponse
from api.jobs.threads import STORE_THREADS, JobThreads
from shared.errors import MalformedRequestError
from shared.jobs.records import Job, JobSpec
from tests.support.happens import happens

JOB = Job(
    id="job_1", owner="", status="completed", spec=JobSpec(format="csv", columns=["text"], text_at=0), total=1,
    completed=1, failed=0, label_counts={}, label_names=["clean"], times={}, errors=[], rows_per_s=None,
)  # fmt: skip


class Jobs:
    """What a file of results needs of the jobs."""

    def __init__(self) -> None:
        self.threads = JobThreads(max_uploads=1, max_downloads=32)
        self.run = self.threads.run
        self.run_file = self.threads.run_file

    def require_valid(self, owner: str) -> None:
        """Every key is."""


async def no_pieces(_stream: ResultStream) -> AsyncIterator[bytes]:
    nothing: list[bytes] = []
    for piece in nothing:
        yield piece


async def test_large_files_keep_no_short_read_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, gate = threading.Event(), threading.Event()

    def write_slowly(*_: object) -> None:
        begun.set()
        assert gate.wait(10)

    monkeypatch.setattr(ResultStream, "pieces", no_pieces)
    monkeypatch.setattr(result_files.RowSpool, "_write", write_slowly)
    jobs: Any = Jobs()
    files = [
        asyncio.create_task(result_files.file_response(jobs, JOB, "xlsx", Selection(), {}))
        for _ in range(2 * STORE_THREADS)
    ]
    try:
        assert await asyncio.to_thread(begun.wait, 10)
        assert await asyncio.wait_for(jobs.run(lambda: "read"), timeout=5) == "read"
    finally:
        gate.set()
        for response in await asyncio.gather(*files):
            await asyncio.to_thread(Path(response.path).unlink)
        jobs.threads.close()


async def test_one_callers_many_files_keep_nobody_elses_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: queue.Queue[str] = queue.Queue()
    gate = threading.Semaphore(0)

    def write_slowly(_rows: object, kind: str, *_: object) -> None:
        begun.put(kind)
        assert gate.acquire(timeout=30)

    monkeypatch.setattr(ResultStream, "pieces", no_pieces)
    monkeypatch.setattr(result_files.RowSpool, "_write", write_slowly)
    jobs: Any = Jobs()

    async def ask(owner: str, kind: str) -> TemporaryFileResponse:
        note_caller({}, owner)
        return await result_files.file_response(jobs, JOB, kind, Selection(), {})

    files = [asyncio.create_task(ask("many", "xlsx")) for _ in range(6)]
    try:
        first = [await asyncio.to_thread(begun.get, timeout=30) for _ in range(result_files.FILES_AT_ONCE)]
        files.append(asyncio.create_task(ask("one", "parquet")))
        await happens(lambda: len(result_files._TURNS._waiting) == 6 - result_files.FILES_AT_ONCE + 1)
        gate.release()
        assert first == ["xlsx"] * result_files.FILES_AT_ONCE
        assert await asyncio.to_thread(begun.get, timeout=30) == "parquet"
    finally:
        gate.release(len(files))
        for response in await asyncio.gather(*files):
            await asyncio.to_thread(Path(response.path).unlink)
        jobs.threads.close()


def test_a_file_is_not_written_for_a_client_that_has_left(tmp_path: Path) -> None:
    client = Presence()
    client.lose()
    with (tmp_path / "spool").open("w+b") as spool:
        rows = result_files.RowSpool(JOB, spool)
        with pytest.raises(MalformedRequestError, match="the client left"):
            rows.write_file("xlsx", tmp_path / "a.xlsx", Caller(presence=client))
    assert not (tmp_path / "a.xlsx").exists()
