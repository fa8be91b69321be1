"""The webhooks that are due, and how each attempt ended. Kept in the store, so that every API process shares them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec
from redis import Redis

from api.jobs.job_store import INDEX_KEYS
from shared import keys
from shared.jobs.scripts import Scripts

Settled = Literal["pending", "delivered", "failed", "postponed"]


@dataclass(frozen=True, slots=True)
class DueWebhook:
    """A webhook that this process is to deliver now. `receiver` is its host and port, `attempt` counts from 1."""

    job_id: str
    owner: str
    receiver: str
    attempt: int


@dataclass(frozen=True, slots=True)
class WebhookEnd:
    """How an attempt ended: delivered, or with an error and tried again after `delay_s`, or given up.

    One that was postponed is tried again after `delay_s` too, and does not count.
    """

    state: Settled
    error: str = ""
    delay_s: int = 0


@dataclass(frozen=True, slots=True)
class Busy:
    """Whose webhooks are passed over: those of some receivers and owners, and maybe all that failed before."""

    receivers: Sequence[str] = ()
    owners: Sequence[str] = ()
    has_retries: bool = False


class WebhookQueue:
    """Thread-safe and blocking. Every method raises `redis.RedisError` when Redis does not answer."""

    def __init__(self, redis: Redis) -> None:
        self._scripts = Scripts(redis)

    def claim(self, hold_s: int, busy: Busy) -> DueWebhook | None:
        """Take a webhook that is due, of nobody busy; no other process gets it for `hold_s`. None if there is none."""
        names = [msgspec.json.encode(list(group)) for group in (busy.receivers, busy.owners)]
        found = self._scripts.run("claim_webhook", INDEX_KEYS, [keys.JOB, hold_s, *names, int(busy.has_retries)])
        if found is None:
            return None
        job_id, owner, receiver, attempt = found
        return DueWebhook(job_id.decode(), owner.decode(), receiver.decode(), attempt)

    def settle(self, job_id: str, end: WebhookEnd) -> None:
        """Note how the attempt ended; does nothing if the job was deleted meanwhile."""
        self._scripts.run("settle_webhook", INDEX_KEYS, [keys.JOB, job_id, end.state, end.error, end.delay_s])
