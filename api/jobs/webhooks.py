"""Notifies clients' servers that jobs have ended: several at once, each retried with backoff.

A slow receiver, under however many names, a key that has many of them, and all that failed before hold a part of the
places only, so that they delay nobody else.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial

import msgspec

from api.access.keyring import Keyring
from api.background import end_task
from api.jobs.service import JobService
from api.jobs.view import show_job
from api.jobs.webhook_places import AddressBusyError, WebhookPlaces
from api.jobs.webhook_queue import DueWebhook, WebhookEnd
from api.jobs.webhook_signature import WebhookSecrets, signed_headers
from api.jobs.webhook_target import DeliveryError, WebhookTarget, resolve_webhook
from shared.errors import KobertError, NotFoundError
from shared.jobs.records import Job
from shared.log import get_logger
from shared.settings import Settings

log = get_logger(__name__)

POLL_S = 1.0
FIRST_RETRY_S = 5
RETRY_FACTOR = 4
# What an attempt may take besides WEBHOOK_TIMEOUT_S before another process takes it over.
HOLD_GRACE_S = 10
# Retries of many webhooks that failed together are spread over this share of their delay.
JITTER = 0.2


class WebhookSender:
    """Sends due webhooks. One per API process; the store keeps two from sending the same webhook."""

    def __init__(self, settings: Settings, jobs: JobService, keyring: Keyring) -> None:
        self._settings = settings
        self._jobs = jobs
        self._keyring = keyring
        self._secrets = WebhookSecrets(settings, keyring)
        # A name server that does not answer holds these threads, and no others.
        self._lookups = ThreadPoolExecutor(settings.webhook_concurrency, thread_name_prefix="webhook-name")
        self._attempts: set[asyncio.Task[None]] = set()
        self._places = WebhookPlaces(settings.webhook_concurrency, settings.webhook_host_concurrency)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start sending."""
        self._task = asyncio.create_task(self._send_forever(), name="webhooks")

    async def close(self) -> None:
        """Stop; webhooks that are being sent will be sent again."""
        await end_task(self._task)
        for attempt in set(self._attempts):
            await end_task(attempt)
        self._lookups.shutdown(wait=False, cancel_futures=True)

    async def _send_forever(self) -> None:
        while True:
            try:
                has_started = await self._start_next()
            except KobertError:
                has_started = False
            if not has_started:
                await self._wait()

    async def _wait(self) -> None:
        """Wait until an attempt ends, which makes room, or until it is time to look again."""
        if self._attempts:
            await asyncio.wait(self._attempts, timeout=POLL_S, return_when=asyncio.FIRST_COMPLETED)
        else:
            await asyncio.sleep(POLL_S)

    async def _start_next(self) -> bool:
        """Start to send one webhook; False if none is due, or there is no room for one."""
        if self._places.is_full:
            return False
        hold_s = int(self._settings.webhook_timeout_s) + HOLD_GRACE_S
        busy = self._places.busy(has_several_owners=self._keyring.has_several_owners)
        due = await self._jobs.claim_webhook(hold_s, busy)
        if due is None:
            return False
        self._places.take(due)
        attempt = asyncio.create_task(self._send(due), name=f"webhook {due.job_id}")
        self._attempts.add(attempt)
        attempt.add_done_callback(lambda task: self._make_room(task, due))
        return True

    def _make_room(self, attempt: "asyncio.Task[None]", due: DueWebhook) -> None:
        self._attempts.discard(attempt)
        self._places.give_back(due)

    async def _send(self, due: DueWebhook) -> None:
        try:
            end = await self._attempt(due)
            await self._jobs.settle_webhook(due.job_id, end)
        except NotFoundError:
            return  # deleted meanwhile
        except KobertError as error:
            # It is tried again when its hold ends.
            log.warning("webhook_unsettled", job_id=due.job_id, error=error.code)

    async def _attempt(self, due: DueWebhook) -> WebhookEnd:
        secret = self._secrets.of_owner(due.owner)
        if secret is None:
            return WebhookEnd("failed", "the job's key was revoked, or webhooks are off")
        job = await self._jobs.webhook_job(due.job_id, due.owner)
        try:
            status = await self._deliver(job, secret)
        except AddressBusyError as error:
            return WebhookEnd("postponed", delay_s=error.wait_s)
        except DeliveryError as error:
            is_last = due.attempt >= self._settings.webhook_attempts
            log.warning(
                "webhook_given_up" if is_last else "webhook_failed",
                job_id=due.job_id,
                attempt=due.attempt,
                reason=str(error),
            )
            return WebhookEnd("failed" if is_last else "pending", str(error), 0 if is_last else _delay_s(due.attempt))
        log.info("webhook_sent", job_id=due.job_id, attempt=due.attempt, status=status)
        return WebhookEnd("delivered")

    async def _deliver(self, job: Job, secret: str) -> int:
        from api.jobs.webhook_delivery import deliver  # noqa: PLC0415  few services send any

        body = msgspec.json.encode({"type": f"job.{job.status}", "data": show_job(job, 0.0, self._settings.root_path)})
        headers = signed_headers(secret, job.id, body, int(time.time()))
        reach = partial(self._reach, job.owner)
        return await deliver(str(job.spec.webhook_url), body, headers, self._settings.webhook_timeout_s, reach)

    @asynccontextmanager
    async def _reach(self, owner: str, url: str) -> AsyncIterator[WebhookTarget]:
        """Look an address up, and hold one of its places while a key's webhook is on its way to it.

        Raises:
            AddressBusyError: it has none for this key.
            MalformedRequestError: the address is not allowed, or leads nowhere.
        """
        loop = asyncio.get_running_loop()
        target = await loop.run_in_executor(self._lookups, resolve_webhook, url, self._settings)
        with self._places.address(owner, target.ip, target.port):
            yield target


def _delay_s(attempt: int) -> int:
    """5, 20, 80 … seconds, and up to a fifth more."""
    delay_s = FIRST_RETRY_S * int(RETRY_FACTOR ** (attempt - 1))
    return delay_s + secrets.randbelow(int(delay_s * JITTER) + 1)
