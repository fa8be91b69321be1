"""The webhooks that are due, and when each is tried again. Kept in the store, so that every API process shares them."""

import time
from typing import Any

from redis import Redis

from api.jobs.job_store import INDEX_KEYS, JobStore
from shared import keys
from shared.jobs.records import Job
from shared.jobs.scripts import Scripts


class WebhookQueue:
    """Thread-safe and blocking. Every method raises `redis.RedisError` when Redis does not answer."""

    def __init__(self, redis: Redis, jobs: JobStore) -> None:
        self._redis = redis
        self._jobs = jobs
        self._scripts = Scripts(redis)

    def claim(self, hold_s: int) -> str | None:
        """Take the id of a job whose webhook is due; no other process gets it for `hold_s`. None if none is due."""
        found = self._scripts.run("claim_webhook", INDEX_KEYS, [hold_s])
        return None if found is None else str(found.decode())

    def start_attempt(self, job_id: str) -> tuple[Job, int]:
        """Count one more attempt; returns the job, whoever owns it, and the number of the attempt, from 1.

        Raises:
            NotFoundError: the job was deleted or has expired.
        """
        owner: Any = self._redis.hget(keys.job_part(job_id, ""), "owner")
        job = self._jobs.get(job_id, "" if owner is None else owner.decode())
        attempt: Any = self._redis.hincrby(keys.job_part(job_id, ""), "webhook_attempts", 1)
        return job, attempt

    def delay(self, job_id: str, delay_s: int) -> None:
        """Try again after `delay_s`."""
        self._redis.zadd(keys.JOB_WEBHOOKS, {job_id: time.time() + delay_s}, xx=True)

    def drop(self, job_id: str) -> None:
        """Stop trying: the webhook was delivered, or given up."""
        self._redis.zrem(keys.JOB_WEBHOOKS, job_id)
