"""Starts and stops what jobs need in an API process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis import Redis

from api.access.keyring import Keyring
from api.jobs.judging_rules import JudgingRules
from api.jobs.service import JobService
from api.jobs.webhooks import WebhookSender
from api.policies.book import PolicyBook
from api.queue.running import RunningPath
from shared.policies.rules_store import RulesStore
from shared.settings import Settings

# Generous: deleting a large job takes the store a while, and no caller counts on milliseconds here.
REDIS_TIMEOUT_S = 10
CONNECT_TIMEOUT_S = 2


@asynccontextmanager
async def running_jobs(
    settings: Settings, path: RunningPath, policies: PolicyBook, keyring: Keyring
) -> AsyncIterator[JobService]:
    """The service, with its sweeper and the webhook sender running."""
    # A blocking client, used only in threads.
    redis: Redis = Redis.from_url(
        path.redis_url, socket_timeout=REDIS_TIMEOUT_S, socket_connect_timeout=CONNECT_TIMEOUT_S
    )
    rules = JudgingRules(policies, RulesStore(redis), path.fleet.check_job_options, settings.max_job_age_s)
    jobs = JobService(settings, redis, path.publisher, rules, keyring)
    webhooks = WebhookSender(settings, jobs, keyring)
    jobs.start()
    webhooks.start()
    try:
        yield jobs
    finally:
        await webhooks.close()
        await jobs.close()
        redis.close()
