"""Notifies a client's server that a job has ended: signed, retried with backoff, without following redirects.

Signed as Standard Webhooks (https://www.standardwebhooks.com) says, like OpenAI's, so its libraries can verify it:
`webhook-id`, `webhook-timestamp`, `webhook-signature: v1,BASE64(HMAC-SHA256(id.timestamp.body))`.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import http.client
import socket
import ssl
import time

import msgspec

from api.background import end_task
from api.jobs.service import JobService
from api.jobs.view import show_job
from api.jobs.webhook_target import WebhookTarget, resolve_webhook
from shared.errors import KobertError, NotFoundError
from shared.jobs.records import Job
from shared.log import get_logger
from shared.settings import Settings

log = get_logger(__name__)

POLL_S = 1.0
FIRST_RETRY_S = 5
RETRY_FACTOR = 4
_SECRET_PREFIX = "whsec_"  # noqa: S105  what a Standard Webhooks secret begins with
_OK = range(200, 300)


class WebhookSender:
    """Sends due webhooks, one at a time. One per API process; the store keeps two from sending the same webhook."""

    def __init__(self, settings: Settings, jobs: JobService) -> None:
        self._settings = settings
        self._jobs = jobs
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start sending, if WEBHOOK_SECRET is set."""
        if self._settings.webhook_secret is not None:
            self._task = asyncio.create_task(self._send_forever(), name="webhooks")

    async def close(self) -> None:
        """Stop; a webhook that is being sent will be sent again."""
        await end_task(self._task)

    async def _send_forever(self) -> None:
        while True:
            try:
                sent = await self._send_next()
            except KobertError:
                sent = False
            if not sent:
                await asyncio.sleep(POLL_S)

    async def _send_next(self) -> bool:
        """Send one webhook; False if none is due."""
        job_id = await self._jobs.claim_webhook(int(self._settings.webhook_timeout_s * 3))
        if job_id is None:
            return False
        try:
            job, attempt = await self._jobs.start_webhook_attempt(job_id)
        except NotFoundError:
            await self._jobs.drop_webhook(job_id)
            return True
        is_over = await self._attempt(job) or attempt >= self._settings.webhook_attempts
        if is_over:
            await self._jobs.drop_webhook(job_id)
        else:
            await self._jobs.delay_webhook(job_id, FIRST_RETRY_S * RETRY_FACTOR ** (attempt - 1))
        return True

    async def _attempt(self, job: Job) -> bool:
        """Whether the other side took it."""
        body = msgspec.json.encode({"type": f"job.{job.status}", "data": show_job(job, 0.0, self._settings.root_path)})
        headers = signed_headers(self._settings.webhook_secret or "", job.id, body, int(time.time()))
        try:
            status = await asyncio.to_thread(self._deliver, str(job.spec.webhook_url), body, headers)
        except (KobertError, OSError, http.client.HTTPException, ValueError) as error:
            log.warning("webhook_failed", job_id=job.id, error_type=type(error).__name__)
            return False
        if status not in _OK:
            log.warning("webhook_failed", job_id=job.id, status=status)
            return False
        log.info("webhook_sent", job_id=job.id, status=status)
        return True

    def _deliver(self, url: str, body: bytes, headers: dict[str, str]) -> int:
        target = resolve_webhook(url, self._settings)
        connection = _connect(target, self._settings.webhook_timeout_s)
        try:
            connection.request("POST", target.path, body, headers)
            return connection.getresponse().status
        finally:
            connection.close()


def signed_headers(secret: str, message_id: str, body: bytes, timestamp: int) -> dict[str, str]:
    """The headers of a delivery; the receiver recomputes the signature from them and from the body."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    signature = base64.b64encode(hmac.digest(_key(secret), signed, hashlib.sha256)).decode()
    return {
        "Content-Type": "application/json",
        "User-Agent": "kobert-classifier",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{signature}",
    }


def _key(secret: str) -> bytes:
    if secret.startswith(_SECRET_PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(_SECRET_PREFIX), validate=True)
        except binascii.Error:
            return secret.encode()
    return secret.encode()


def _connect(target: WebhookTarget, timeout_s: float) -> http.client.HTTPConnection:
    """A connection to the checked address; TLS verifies the host's name."""
    connection = http.client.HTTPConnection(target.host, target.port, timeout=timeout_s)
    sock: socket.socket = socket.create_connection((target.ip, target.port), timeout_s)
    if target.scheme == "https":
        sock = ssl.create_default_context().wrap_socket(sock, server_hostname=target.host)
    connection.sock = sock
    return connection
