"""Starts and stops what jobs need in an API process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from api.access.keyring import Keyring
from api.jobs.connections import connect
from api.jobs.judging_rules import JudgingRules
from api.jobs.service import JobService
from api.jobs.webhooks import WebhookSender
from api.policies.book import PolicyBook
from api.queue.running import RunningPath
from shared.policies.rules_store import RulesStore
from shared.settings import Settings


@asynccontextmanager
async def running_jobs(
    settings: Settings, path: RunningPath, policies: PolicyBook, keyring: Keyring
) -> AsyncIterator[JobService]:
    """The service, with its sweeper and the webhook sender running."""
    redis = connect(path.redis_url)
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
