"""Starts and stops what jobs need in an API process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis import Redis

from api.jobs.desk import JobDesk
from api.jobs.webhooks import WebhookSender
from api.queue.publisher import Publisher
from api.store.catalogue import Catalogue
from shared.jobs.ledger import Ledger
from shared.settings import Settings

# Nobody waits for these in milliseconds, and a large delete may take its time.
REDIS_TIMEOUT_S = 10
CONNECT_TIMEOUT_S = 2


@asynccontextmanager
async def running_jobs(settings: Settings, redis_url: str, publisher: Publisher) -> AsyncIterator[JobDesk]:
    """The desk, with its sweeper and the webhooks running."""
    # This client blocks; it is used in threads alone.
    redis: Redis = Redis.from_url(redis_url, socket_timeout=REDIS_TIMEOUT_S, socket_connect_timeout=CONNECT_TIMEOUT_S)
    desk = JobDesk(settings, Catalogue(redis, settings), Ledger(redis, settings), publisher)
    webhooks = WebhookSender(settings, desk)
    desk.start()
    webhooks.start()
    try:
        yield desk
    finally:
        await webhooks.close()
        await desk.close()
        redis.close()
