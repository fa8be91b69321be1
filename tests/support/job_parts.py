"""The API's side of the job ledger, built on one Redis client: what an upload, a reader and a webhook sender use."""

from redis import Redis

from api.access.keyring import Keyring
from api.jobs.capacity import StoreCapacity
from api.jobs.job_store import JobStore
from api.jobs.room import JobRoom
from api.jobs.webhook_queue import WebhookQueue
from api.jobs.writer import JobWriter
from shared.settings import Settings


class JobParts:
    """`writer`, `store`, `capacity` and `webhooks`, as `JobService` builds them."""

    def __init__(self, redis: Redis, settings: Settings, keyring: Keyring | None = None) -> None:
        room = JobRoom(settings, keyring or Keyring())
        self.writer = JobWriter(redis, settings, room)
        self.store = JobStore(redis, settings)
        self.capacity = StoreCapacity(redis, settings, room)
        self.webhooks = WebhookQueue(redis)
