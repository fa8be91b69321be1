"""Pools of threads for job work, so that neither a slow upload nor a large file of results holds up a short read."""

import asyncio
import errno
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from tempfile import gettempdir
from typing import Any, TypeVar

from redis.exceptions import RedisError

from shared.errors import DiskFullError
from shared.log import get_logger
from shared.store_errors import name_store_error

log = get_logger(__name__)

STORE_THREADS = 4
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}  # only parquet files are written to a temporary file

T = TypeVar("T")


class JobThreads:
    """Runs blocking calls; what they raise becomes one of our errors."""

    def __init__(self, max_uploads: int, max_downloads: int) -> None:
        # Of those that use the store.
        self.count = STORE_THREADS + max_uploads
        self._short = ThreadPoolExecutor(STORE_THREADS, thread_name_prefix="job-store")
        self._uploads = ThreadPoolExecutor(max_uploads, thread_name_prefix="upload")
        # One for each, since nearly all wait for their turn.
        self._files = ThreadPoolExecutor(max_downloads, thread_name_prefix="result-file")
        self._store_fault: str | None = None

    async def run(self, work: Callable[..., T], *args: Any) -> T:  # noqa: ANN401  the arguments of `work`
        """`work(*args)` in a thread.

        Raises:
            DiskFullError: there is no room for a temporary parquet file.
            UnavailableError: what the store's failure means, by `name_store_error`.
        """
        return await self._run_in(self._short, work, *args)

    async def run_upload(self, work: Callable[..., T], *args: Any) -> T:  # noqa: ANN401  as `run`
        """As `run`, in a thread kept for uploads."""
        return await self._run_in(self._uploads, work, *args)

    async def run_file(self, work: Callable[..., T], *args: Any) -> T:  # noqa: ANN401  as `run`
        """As `run`, in a thread kept for files of results."""
        return await self._run_in(self._files, work, *args)

    def close(self) -> None:
        """Start nothing more. Threads at work end on their own."""
        self._short.shutdown(wait=False, cancel_futures=True)
        self._uploads.shutdown(wait=False, cancel_futures=True)
        self._files.shutdown(wait=False, cancel_futures=True)

    async def _run_in(self, pool: ThreadPoolExecutor, work: Callable[..., T], *args: Any) -> T:  # noqa: ANN401  as `run`
        # The copied context carries the request's id into the log lines of the thread.
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, copy_context().run, work, *args)
        except (RedisError, OSError) as error:
            if isinstance(error, OSError) and error.errno in _NO_ROOM:
                log.warning("disk_full", folder=gettempdir())
                raise DiskFullError("the server has no disk space for a parquet file; use csv or jsonl") from error
            named = name_store_error(error)
            self._note_store(named.code, named.message)
            raise named from error

    def note_answer(self) -> None:
        """Log once that the ledger can be written again; a sweep shows that it can."""
        self._note_store(None, "")

    def _note_store(self, fault: str | None, reason: str) -> None:
        """Log one line when the ledger can no longer be written, and one when it can."""
        if fault == self._store_fault:
            return
        self._store_fault = fault
        if fault is None:
            log.info("ledger_answers")
        else:
            log.warning("ledger_lost", error=fault, reason=reason)
