"""The API's side of the job ledger, built on one Redis client: what an upload, a reader and a webhook sender use."""

from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from api.access.keyring import Keyring
from api.jobs.capacity import StoreCapacity
from api.jobs.job_store import JobStore
from api.jobs.judging_rules import JudgingRules
from api.jobs.room import JobRoom
from api.jobs.webhook_queue import WebhookQueue
from api.jobs.writer import JobWriter
from api.policies.book import PolicyBook
from api.policies.file import FilePolicies
from api.policies.store import PolicyStore, StoreLimits
from shared.policies.rules_store import RulesStore
from shared.settings import Settings


class JobParts:
    """`writer`, `store`, `capacity` and `webhooks`, as `JobService` builds them."""

    def __init__(self, redis: Redis, settings: Settings, keyring: Keyring | None = None) -> None:
        room = JobRoom(settings, keyring or Keyring())
        self.writer = JobWriter(redis, settings, room)
        self.store = JobStore(redis, settings)
        self.capacity = StoreCapacity(redis, settings, room)
        self.webhooks = WebhookQueue(redis)


def rules_of_any_model(redis: Redis) -> JudgingRules:
    """Options that every model follows, and no policies."""
    book = PolicyBook(PolicyStore(AsyncRedis(), StoreLimits(1, 1, 1, 1, 1), 1), FilePolicies({}))
    return JudgingRules(book, RulesStore(redis), lambda _options: None, 3600)
