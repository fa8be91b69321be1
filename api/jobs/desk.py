"""Where the event loop hands over what blocks: the ledger's reads and writes, and uploads. One an API process."""

import asyncio
import errno
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from tempfile import gettempdir
from typing import Any, TypeVar

from redis.exceptions import RedisError

from api.background import end_task
from api.jobs.webhook_target import check_webhook_url
from api.queue.publisher import Publisher
from api.store.catalogue import Catalogue
from api.uploads.pull import BodyPull
from api.uploads.reception import Reception, UploadRequest
from shared.errors import DiskFullError, KobertError, OverloadedError, StoreUnavailableError
from shared.jobs.ledger import Ledger
from shared.log import get_logger
from shared.settings import Settings

log = get_logger(__name__)

CATALOGUE_THREADS = 4
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}  # parquet alone is spooled to a file, coming in and going out

T = TypeVar("T")


class JobDesk:
    """Runs blocking work in threads of its own, so that neither uploads nor downloads hold up anything else."""

    def __init__(self, settings: Settings, catalogue: Catalogue, ledger: Ledger, publisher: Publisher) -> None:
        self.catalogue = catalogue
        self._settings = settings
        self._ledger = ledger
        self._publisher = publisher
        self._reception = Reception(catalogue, settings, lambda url: check_webhook_url(url, settings))
        self._uploads_now = 0
        self._threads = ThreadPoolExecutor(CATALOGUE_THREADS, thread_name_prefix="catalogue")
        self._upload_threads = ThreadPoolExecutor(settings.max_uploads, thread_name_prefix="upload")
        self._sweeper: asyncio.Task[None] | None = None
        self._connected = False

    def start(self) -> None:
        """Start sweeping."""
        self._sweeper = asyncio.create_task(self._sweep_forever(), name="job-sweeper")

    def require_connection(self) -> None:
        """Check that the ledger has been reached since the start.

        Raises:
            StoreUnavailableError: it has not, so a job sent now may have to wait for a connection.
        """
        if not self._connected:
            raise StoreUnavailableError("the job ledger is not connected yet; try again shortly")

    async def close(self) -> None:
        """Stop sweeping. Uploads have ended with their requests."""
        await end_task(self._sweeper)
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._upload_threads.shutdown(wait=False, cancel_futures=True)

    async def run(self, work: Callable[..., T], *args: Any) -> T:  # noqa: ANN401  the arguments of `work`
        """`work(*args)` in a thread.

        Raises:
            DiskFullError: a parquet file has no room.
            StoreUnavailableError: Redis does not answer.
        """
        return await self._in(self._threads, work, *args)

    async def take_in(self, request: UploadRequest, body: BodyPull) -> str:
        """Make a job of an upload; returns its id.

        Raises:
            OverloadedError: as many uploads as allowed are coming in.
            RequestError: the upload is refused.
            DiskFullError: a parquet file has no room.
            StoreUnavailableError: Redis does not answer.
        """
        if self._uploads_now >= self._settings.max_uploads:
            raise OverloadedError(
                f"{self._uploads_now} uploads are coming in (MAX_UPLOADS); try again shortly", retry_after_s=10
            )
        self._uploads_now += 1
        try:
            job_id = await self._in(self._upload_threads, self._reception.receive, request, body)
        finally:
            self._uploads_now -= 1
        await self._announce(job_id)
        return job_id

    async def _in(self, threads: ThreadPoolExecutor, work: Callable[..., T], *args: Any) -> T:  # noqa: ANN401  as `run`
        # What a thread logs has the id of the request that it works for.
        try:
            return await asyncio.get_running_loop().run_in_executor(threads, copy_context().run, work, *args)
        except (RedisError, OSError) as error:
            if isinstance(error, OSError) and error.errno in _NO_ROOM:
                log.warning("disk_full", folder=gettempdir())
                raise DiskFullError("the server has no room for a parquet file now; csv and jsonl need none") from error
            log.warning("store_lost", error_type=type(error).__name__)
            raise StoreUnavailableError("Redis does not answer; try again shortly") from error

    async def _announce(self, job_id: str) -> None:
        """Wake the workers. The job is in the ledger: without the message it begins seconds later."""
        try:
            await self._publisher.announce_job(job_id)
        except StoreUnavailableError:
            log.info("job_not_announced", job_id=job_id)

    async def _sweep_forever(self) -> None:
        while True:
            try:
                opened, _ = await self.run(self._ledger.sweep)
                self._connected = True
                if opened:
                    await self._announce("")
            except KobertError:
                pass  # said in the log; the next round may do better
            await asyncio.sleep(self._settings.job_poll_s)
