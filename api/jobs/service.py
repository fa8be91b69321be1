"""Bulk jobs as the event loop sees them: each method runs blocking work in a thread."""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from redis import Redis

from api.access.keyring import Keyring
from api.background import end_task
from api.jobs.capacity import StoreCapacity
from api.jobs.connections import open_ahead
from api.jobs.glances import Glances, pause_s
from api.jobs.intake import JobIntake
from api.jobs.job_store import JobStore
from api.jobs.judging_rules import JudgingRules
from api.jobs.options import OptionsCheck
from api.jobs.places import PlaceKind, Places
from api.jobs.preview import JobPreview
from api.jobs.room import JobRoom
from api.jobs.threads import JobThreads
from api.jobs.upload_slots import UploadSlots
from api.jobs.webhook_queue import Busy, DueWebhook, WebhookEnd, WebhookQueue
from api.jobs.webhook_signature import WebhookSecrets
from api.jobs.writer import JobWriter
from api.uploads.opening import UploadRequest
from api.uploads.pull import BodyPull
from shared.errors import KobertError, StoreUnavailableError, UnavailableError
from shared.jobs.ledger import Ledger
from shared.jobs.records import Job
from shared.log import get_logger
from shared.settings import Settings

log = get_logger(__name__)

# Large policies that are being stored or sent: each has some megabytes until its client has read it.
LARGE_POLICIES = 8
# Batches, review queues and trials of policies that are made at the same time: each may hold some 30 MB while it is.
AT_ONCE = 2
# Previews that are read at the same time, of all and of one caller: each may hold some 20 MB while it is.
PREVIEWS = 3
PREVIEWS_OF_ONE = 2
MANY_PREVIEWS = "{} files are being looked at, and one caller may look at 2 at a time; try again shortly"
T = TypeVar("T")


class Announcer(Protocol):
    """Wakes the workers."""

    async def announce_job(self, job_id: str) -> None:
        """Tell the workers that a job has work; raises UnavailableError when the queue does not take it."""


class JobService:
    """Runs blocking job work in threads. One per API process.

    Every method raises `StoreUnavailableError` when Redis does not answer.
    """

    def __init__(
        self,
        settings: Settings,
        redis: Redis,
        announcer: Announcer,
        rules: JudgingRules,
        keyring: Keyring,
    ) -> None:
        self._keyring = keyring
        self._settings = settings
        self._announcer = announcer
        # Shared with others whose work runs in these threads.
        self.redis = redis
        self._ledger = Ledger(redis, settings)
        room = JobRoom(settings, keyring)
        self._writer = JobWriter(redis, settings, room)
        # Shared with others who keep something in the store.
        self.capacity = StoreCapacity(redis, settings, room)
        self._store = JobStore(redis, settings)
        self._webhooks = WebhookQueue(redis)
        options_check = OptionsCheck(settings, rules, WebhookSecrets(settings, keyring))
        self._intake = JobIntake(settings, self._writer, self.capacity, options_check)
        self._preview = JobPreview(settings, options_check)
        self._threads = JobThreads(settings.max_uploads, settings.max_downloads)
        self._slots = UploadSlots(settings.max_uploads)
        self._preview_slots = UploadSlots(PREVIEWS, PREVIEWS_OF_ONE, MANY_PREVIEWS)
        self._uploads = Places(PlaceKind(settings.max_uploads, "uploads are coming in", "MAX_UPLOADS"), keyring)
        self.followers = Places(
            PlaceKind(settings.max_event_streams, "clients follow jobs", "MAX_EVENT_STREAMS"), keyring
        )
        self.inputs = Places(
            PlaceKind(AT_ONCE, "batches, review queues or trials are being made", f"{AT_ONCE} is the most"), keyring
        )
        self.large_policies = Places(
            PlaceKind(LARGE_POLICIES, "large policies are being stored or sent", f"{LARGE_POLICIES} is the most"),
            keyring,
        )
        self.downloads = Places(PlaceKind(settings.max_downloads, "results are being sent", "MAX_DOWNLOADS"), keyring)
        self._glances = Glances(self.get)
        self._sweeper: asyncio.Task[None] | None = None
        self._connected = False

    def start(self) -> None:
        """Start the sweeper: it reopens the chunks of dead workers and ends jobs that are too old."""
        self._sweeper = asyncio.create_task(self._sweep_forever(), name="job-sweeper")

    async def close(self) -> None:
        """Stop the sweeper and the threads. Uploads have ended with their requests."""
        await end_task(self._sweeper)
        self._threads.close()

    def require_connection(self) -> None:
        """Check that the ledger has answered since the start.

        Raises:
            StoreUnavailableError: it has not, so a job sent now may have to wait for a connection.
        """
        if not self._connected:
            raise StoreUnavailableError("the job ledger is not connected yet; try again shortly")

    async def require_room(self, owner: str) -> None:
        """Check that another job of `owner` may begin.

        Raises:
            OverloadedError: too many jobs are open, or the store is nearly full, of all or of this owner.
            DiskFullError: the store would keep the job in memory alone.
        """
        await self.run(self.capacity.require_room, owner)

    async def submit(self, request: UploadRequest, body: BodyPull) -> str:
        """Make a job of an upload and wake the workers; returns its id.

        Raises:
            OverloadedError: as many uploads as allowed are coming in, of all or of this owner, or this one was too
                slow for its place.
            RequestError: the upload is refused.
            DiskFullError: there is no room for a temporary parquet file.
        """
        self._uploads.require_share(request.owner)
        with self._uploads.counted(request.owner):
            return await self._receive(request, body)

    async def _receive(self, request: UploadRequest, body: BodyPull) -> str:
        async with self._slots.taken_by(body):
            job_id = await self._threads.run_upload(self._intake.receive, request, body)
        await self._announce(job_id)
        return job_id

    async def preview(self, request: UploadRequest, body: BodyPull) -> dict[str, Any]:
        """How a file would be read, by `JobPreview.read`; refused as an upload is, or among many previews."""
        self._uploads.require_share(request.owner)
        with self._uploads.counted(request.owner):
            async with self._preview_slots.taken_by(body):
                return await self.read_body(body, self._preview.read, request, body)

    async def read_body(self, body: BodyPull, read: Callable[..., T], *args: Any) -> T:  # noqa: ANN401  the arguments of `read`
        """`read(*args)` in a thread and in the place of an upload, where it reads `body` as it comes.

        Raises:
            OverloadedError: as many uploads as allowed are coming in, and go on for seconds, or this one was too slow
                for its place.
        """
        async with self._slots.taken_by(body):
            return await self._threads.run_upload(read, *args)

    async def require_memory(self, owner: str | None = None) -> None:
        """Check that the store has room for something other than a job, for all and for `owner`.

        Raises:
            OverloadedError: the store is nearly full, or the owner takes as much of it as is free.
        """
        await self.run(self.capacity.require_memory, owner)

    async def free_bytes(self) -> int | None:
        """How many bytes of the store are free; None where it has no limit.

        Raises:
            OverloadedError: it is nearly full.
        """
        return await self.run(self.capacity.free_bytes)

    @property
    def is_shared(self) -> bool:
        """Whether several keys share the store."""
        return self._keyring.has_several_owners

    async def find_by_key(self, owner: str, digest: str) -> Job | None:
        """The job that an Idempotency-Key made, given its digest; None if there is none."""
        job_id = await self.run(self._writer.find_by_key, owner, digest)
        return None if job_id is None else await self.get(job_id, owner)

    def require_valid(self, owner: str) -> None:
        """Check that the owner's key is still valid, by `Keyring.require_valid`."""
        self._keyring.require_valid(owner)

    async def get(self, job_id: str, owner: str) -> Job:
        """One job.

        Raises:
            NotFoundError: no job has this id, or it belongs to another owner.
            UnauthorisedError: the owner's key has been revoked since the request began.
        """
        self._keyring.require_valid(owner)
        return await self.run(self._store.get, job_id, owner)

    async def glance(self, job_id: str, owner: str) -> Job:
        """As `get`, for those who follow a job: as it was a moment ago, by a look that they share."""
        self._keyring.require_valid(owner)
        return await self._glances.get(job_id, owner)

    def follow_pause_s(self) -> float:
        """How long those who follow a job wait between two glances."""
        return pause_s(self.followers.taken)

    async def page(self, owner: str, limit: int, after: str | None) -> tuple[list[Job], bool]:
        """Up to `limit` jobs, newest first, starting after the job `after`; and whether more follow.

        Raises:
            NotFoundError: there is no job `after`.
        """
        return await self.run(self._store.page, owner, limit, after)

    async def cancel(self, job_id: str, owner: str) -> Job:
        """Stop handing out chunks of a job; those that workers hold may finish.

        Raises:
            NotFoundError: as `get`.
            ConflictError: it has already ended in another state.
        """
        return await self.run(self._store.cancel, job_id, owner)

    async def delete(self, job_id: str, owner: str) -> None:
        """Remove every trace of a job.

        Raises:
            NotFoundError: as `get`.
        """
        await self.get(job_id, owner)
        await self.run(self._store.delete, job_id, owner)
        self._glances.forget(job_id, owner)

    async def result_starts(self, job_id: str) -> list[int]:
        """First rows of the chunks that have a result, in order."""
        return await self.run(self._store.result_starts, job_id)

    async def result_chunk(self, job_id: str, first_row: int) -> bytes | None:
        """The packed result of one chunk; None if the job was deleted meanwhile."""
        return await self.run(self._store.result_chunk, job_id, first_row)

    async def claim_webhook(self, hold_s: int, busy: Busy) -> DueWebhook | None:
        """Take a webhook that is due, of nobody busy; no other process gets it for `hold_s`. None if there is none."""
        return await self.run(self._webhooks.claim, hold_s, busy)

    async def webhook_job(self, job_id: str, owner: str) -> Job:
        """The job to tell of.

        Raises:
            NotFoundError: it was deleted or has expired.
        """
        return await self.run(self._store.get, job_id, owner)

    async def settle_webhook(self, job_id: str, end: WebhookEnd) -> None:
        """Note how an attempt to deliver a webhook ended."""
        await self.run(self._webhooks.settle, job_id, end)

    async def run(self, work: Callable[..., T], *args: Any) -> T:  # noqa: ANN401  the arguments of `work`
        """`work(*args)` in a thread, for what goes with a job but is not in the store: to render its results."""
        return await self._threads.run(work, *args)

    async def run_file(self, work: Callable[..., T], *args: Any) -> T:  # noqa: ANN401  as `run`
        """As `run`, for what writes a file of results: it may take minutes, and keeps no thread from the others."""
        return await self._threads.run_file(work, *args)

    async def _announce(self, job_id: str) -> None:
        """Wake the workers. If that fails, they find the job in the ledger some seconds later."""
        try:
            await self._announcer.announce_job(job_id)
        except UnavailableError:
            log.info("job_not_announced", job_id=job_id)

    async def _sweep_forever(self) -> None:
        while True:
            try:
                reopened, _ = await self.run(self._ledger.sweep)
                self._threads.note_answer()
                if not self._connected:
                    await self.run(open_ahead, self.redis, self._threads.count)
                    self._connected = True
                if reopened:
                    await self._announce("")
            except KobertError:
                pass  # already logged; the next round may succeed
            await asyncio.sleep(self._settings.job_poll_s)
